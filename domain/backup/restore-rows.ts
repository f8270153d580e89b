/**
 * The rows of a state as bytes: what a backup's chunks hold, and what travels through the log when one is restored.
 * A row is one byte of kind, four bytes (big endian) of key length, the key in UTF-8, four bytes of value length, the
 * value: JSON as text, or raw bytes. A chunk is whole rows end to end. The format is part of a backup's format version.
 */
export type StateRow =
  | { key: Uint8Array; kind: "json"; value: Uint8Array }
  | { key: Uint8Array; kind: "bytes"; value: Uint8Array };

const KIND_JSON = 0x4a;
const KIND_BYTES = 0x42;
const LENGTH_BYTES = 4;
/** Bytes that a row adds to its key and value. */
export const ROW_OVERHEAD_BYTES = 1 + 2 * LENGTH_BYTES;

export function encodeStateRow(row: StateRow): Uint8Array {
  const out = new Uint8Array(ROW_OVERHEAD_BYTES + row.key.byteLength + row.value.byteLength);
  const view = new DataView(out.buffer);
  out[0] = row.kind === "json" ? KIND_JSON : KIND_BYTES;
  view.setUint32(1, row.key.byteLength);
  out.set(row.key, 1 + LENGTH_BYTES);
  const valueAt = 1 + LENGTH_BYTES + row.key.byteLength;
  view.setUint32(valueAt, row.value.byteLength);
  out.set(row.value, valueAt + LENGTH_BYTES);
  return out;
}

/** The rows of a chunk, as views into it. Throws a `RangeError` where the bytes are no rows. */
export function* decodeStateRows(chunk: Uint8Array): Generator<StateRow> {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  let at = 0;
  const take = (): Uint8Array => {
    if (at + LENGTH_BYTES > chunk.byteLength) throw new RangeError("a row is cut off");
    const length = view.getUint32(at);
    at += LENGTH_BYTES;
    if (at + length > chunk.byteLength) throw new RangeError("a row is cut off");
    at += length;
    return chunk.subarray(at - length, at);
  };
  while (at < chunk.byteLength) {
    const kind = chunk[at];
    if (kind !== KIND_JSON && kind !== KIND_BYTES) throw new RangeError(`unknown kind of row ${kind}`);
    at += 1;
    const key = take();
    yield { key, kind: kind === KIND_JSON ? "json" : "bytes", value: take() };
  }
}

/** Whether the bytes are whole rows with keys: what a node must know before it stages them. */
export function isStateRows(chunk: Uint8Array): boolean {
  try {
    for (const { key } of decodeStateRows(chunk)) if (key.byteLength === 0) return false;
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
