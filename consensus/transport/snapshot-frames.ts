/**
 * What two members say about a snapshot on its way, as bytes. Numbers are big-endian.
 *
 *   offer     version (1), format of the state (1), size (8), SHA-256 of the file (32), the Raft message
 *   piece     offset (8), bytes; the frame's checksum covers both
 *   progress  SHA-256 of the file (32), offset (8): all before it has arrived, go on there
 *   refusal   SHA-256 of the file (32), the reason as text
 */
import { decodeMessage, encodeMessage, MessageFormatError } from "./message-codec.ts";
import type { SnapshotMessage } from "./transport.ts";

const VERSION = 1;
const SIZE_BYTES = 8;
const SHA256_BYTES = 32;
const OFFER_HEADER_BYTES = 2 + SIZE_BYTES + SHA256_BYTES;
/** Bytes of a refusal's reason; longer ones are cut. */
const REASON_BYTES_MAX = 512;
/** No state is larger: a peer that announces more is not taken at its word. */
export const SNAPSHOT_BYTES_MAX = 64 * 1024 ** 3;
/** Content of one piece. Small, since a heartbeat waits for at most one that is being written. */
export const PIECE_BYTES = 64 * 1024;

export interface SnapshotOffer {
  /** Of the state's file (`StateMachine.snapshotFormat`). */
  format: number;
  sizeBytes: number;
  sha256: Buffer;
  message: SnapshotMessage;
}
export interface SnapshotPiece {
  offset: number;
  bytes: Buffer;
}

export function encodeOffer({ format, sizeBytes, sha256, message }: SnapshotOffer): Buffer {
  const header = Buffer.allocUnsafe(OFFER_HEADER_BYTES);
  header.writeUInt8(VERSION, 0);
  header.writeUInt8(format, 1);
  header.writeBigUInt64BE(BigInt(sizeBytes), 2);
  header.set(sha256, 2 + SIZE_BYTES);
  return Buffer.concat([header, encodeMessage(message)]);
}

/** Throws `MessageFormatError` for what is no offer, or one of a file that no state can be. */
export function decodeOffer(payload: Buffer): SnapshotOffer {
  if (payload.byteLength < OFFER_HEADER_BYTES)
    throw new MessageFormatError("a snapshot's offer is cut short");
  if (payload.readUInt8(0) !== VERSION)
    throw new MessageFormatError(`a snapshot's offer of version ${payload.readUInt8(0)}`);
  const sizeBytes = Number(payload.readBigUInt64BE(2));
  if (sizeBytes === 0 || sizeBytes > SNAPSHOT_BYTES_MAX)
    throw new MessageFormatError(`a snapshot of ${sizeBytes} bytes`);
  const message = decodeMessage(payload.subarray(OFFER_HEADER_BYTES));
  if (message.type !== "snapshot")
    throw new MessageFormatError(`a snapshot was offered with ${message.type}`);
  const sha256 = Buffer.from(payload.subarray(2 + SIZE_BYTES, OFFER_HEADER_BYTES));
  return { format: payload.readUInt8(1), sizeBytes, sha256, message };
}

export function encodePiece({ offset, bytes }: SnapshotPiece): Buffer {
  const out = Buffer.allocUnsafe(SIZE_BYTES + bytes.byteLength);
  out.writeBigUInt64BE(BigInt(offset));
  out.set(bytes, SIZE_BYTES);
  return out;
}

export function decodePiece(payload: Buffer): SnapshotPiece {
  if (payload.byteLength <= SIZE_BYTES || payload.byteLength > SIZE_BYTES + PIECE_BYTES)
    throw new MessageFormatError(`a snapshot's piece of ${payload.byteLength} bytes`);
  return { offset: Number(payload.readBigUInt64BE()), bytes: payload.subarray(SIZE_BYTES) };
}

export function encodeProgress(sha256: Buffer, offset: number): Buffer {
  const out = Buffer.allocUnsafe(SHA256_BYTES + SIZE_BYTES);
  out.set(sha256);
  out.writeBigUInt64BE(BigInt(offset), SHA256_BYTES);
  return out;
}

export function decodeProgress(payload: Buffer): { sha256: Buffer; offset: number } {
  if (payload.byteLength !== SHA256_BYTES + SIZE_BYTES)
    throw new MessageFormatError("a snapshot's progress has another length");
  return {
    sha256: payload.subarray(0, SHA256_BYTES),
    offset: Number(payload.readBigUInt64BE(SHA256_BYTES)),
  };
}

export function encodeRefusal(sha256: Buffer, reason: string): Buffer {
  return Buffer.concat([sha256, Buffer.from(reason).subarray(0, REASON_BYTES_MAX)]);
}

export function decodeRefusal(payload: Buffer): { sha256: Buffer; reason: string } {
  if (payload.byteLength < SHA256_BYTES || payload.byteLength > SHA256_BYTES + REASON_BYTES_MAX)
    throw new MessageFormatError("a snapshot's refusal has another length");
  return { sha256: payload.subarray(0, SHA256_BYTES), reason: payload.subarray(SHA256_BYTES).toString() };
}
