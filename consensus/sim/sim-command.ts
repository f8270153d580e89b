/** What simulated clients write: versions of keys. */

export interface SimCommand {
  client: string;
  /** Grows with each new write of the client, and stays when it tries one again. */
  sequence: number;
  /** Grows with each try of a write: one proposal each, so that it can be told what became of which. */
  attempt: number;
  key: string;
  value: string;
  /** The leader's time. */
  stampMs: number;
}

export interface SimResult {
  /** The version that this write made; 0: a later write of the same client came first, so it did nothing. */
  version: number;
}

/** Text with tabs; nothing a client says has any. */
export function encodeSimCommand(command: SimCommand): Uint8Array {
  const { client, sequence, attempt, key, value, stampMs } = command;
  return Buffer.from([client, sequence, attempt, key, value, stampMs].join("\t"), "latin1");
}

export function decodeSimCommand(data: Uint8Array): SimCommand {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1");
  const [client = "", sequence, attempt, key = "", value = "", stampMs] = text.split("\t");
  const numbers = { sequence: Number(sequence), attempt: Number(attempt), stampMs: Number(stampMs) };
  return { client, key, value, ...numbers };
}
