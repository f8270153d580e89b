import { decodeCommand, type EncodedCommand } from "../../contracts/core/command-codec.ts";

/** The data of a log entry: one byte of format, eight bytes (big endian) of the leader's time, the encoded command. */
export const LOG_ENTRY_FORMAT = 1;
const PREFIX_BYTES = 9;

export function encodeLogEntry(timestampMs: number, encodedCommand: Uint8Array): Uint8Array {
  const out = new Uint8Array(PREFIX_BYTES + encodedCommand.byteLength);
  out[0] = LOG_ENTRY_FORMAT;
  new DataView(out.buffer).setBigUint64(1, BigInt(timestampMs));
  out.set(encodedCommand, PREFIX_BYTES);
  return out;
}

/**
 * Throws a `RangeError` for a format this build does not know: a node must stop there and not skip what others apply.
 */
export function decodeLogEntry(data: Uint8Array): EncodedCommand & { timestampMs: number } {
  if (data.byteLength < PREFIX_BYTES || data[0] !== LOG_ENTRY_FORMAT) {
    throw new RangeError(`unknown log entry format ${data[0] ?? "(empty)"}`);
  }
  const timestampMs = Number(new DataView(data.buffer, data.byteOffset).getBigUint64(1));
  return { timestampMs, ...decodeCommand(data.subarray(PREFIX_BYTES)) };
}
