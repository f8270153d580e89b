/** What a data key is for, in names and values that are not secret. The key opens for exactly these and no others. */
export type EncryptionContext = Readonly<Record<string, string>>;

export interface DataKey {
  /** The full name of the key that wraps it. */
  keyId: string;
  /** 32 bytes; whoever uses them wipes them. */
  plaintext: Uint8Array;
  wrapped: Uint8Array;
}

/**
 * Makes data keys and opens them again. Rejects with `unavailable` when the service is away, `not_found` for a key it
 * does not have, `forbidden` when the caller may not use it or it is disabled, and `validation_failed` for a wrapped key
 * that does not open: another context, another key, or damage (which of them is not said).
 */
export interface KeyService {
  generateDataKey(input: { keyId: string; context: EncryptionContext }): Promise<DataKey>;
  /** The 32 bytes. `keyId` is the key that must have wrapped them. */
  decryptDataKey(input: {
    keyId: string;
    wrapped: Uint8Array;
    context: EncryptionContext;
  }): Promise<Uint8Array>;
}

/** The same text for the same context in any order. */
export const canonicalContext = (context: EncryptionContext): string =>
  JSON.stringify(Object.entries(context).toSorted(([a], [b]) => (a < b ? -1 : 1)));
