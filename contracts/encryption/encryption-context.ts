/**
 * What a data key is for, in names and values that are not secret. The key opens for exactly these and no others: they
 * are KMS's encryption context and, as `contextText`, the additional data of AES-GCM.
 */
export type EncryptionContext = Readonly<Record<string, string>>;

/**
 * The same text for the same context in any order: a JSON array of `[name, value]`, ascending by name, without white
 * space. Its UTF-8 bytes are the additional data of every envelope.
 */
export const contextText = (context: EncryptionContext): string =>
  JSON.stringify(Object.entries(context).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** `Content-Type` of an envelope. */
export const ENVELOPE_CONTENT_TYPE = "application/vnd.conflux.envelope+json";
