/**
 * Frames: how records lie in a segment. All integers big endian, frames aligned to four bytes.
 *
 *   crc u32 | length u32 | previous u32 | group u32 | type u8 | flags u8 | zero u16 | payload | zeros to alignment
 *
 * Invariant: `crc` covers everything after itself and starts from a value made of the segment's seed and the frame's
 * offset, so a frame copied from elsewhere never passes; `previous` is the crc of the frame before, so none can be
 * missing; and a group (the frames of one fdatasync) is written only when the group before it is durable. The last
 * rule is what lets recovery tell a torn write from rot: a bad frame *followed by a frame of a later group* had been
 * durable. Writing two groups without a sync between them would break it. Groups are masked with the seed, which no
 * client knows, so that content made to look like frames does not slow the search for later groups.
 */
import { crc32 } from "node:zlib";
import {
  ENTRY_PREFIX_BYTES,
  encodePayload,
  putEntry,
  RECORD_TYPE_MAX,
  RECORD_TYPES,
  type WalRecord,
} from "./wal-record.ts";

export const FRAME_HEADER_BYTES = 20;
export const FRAME_ALIGN_BYTES = 4;
/** Payload of one frame; anything longer on disk is garbage. */
export const FRAME_PAYLOAD_BYTES_MAX = 256 * 1024 * 1024;
const LAST_OF_GROUP = 1;
const CRC_BYTES = 4;

/** Where the next frame goes and what it links to. */
export interface FrameCursor {
  seed: number;
  offset: number;
  previousCrc: number;
  group: number;
}

export interface Frame {
  type: number;
  payload: Uint8Array;
  group: number;
  last: boolean;
  crc: number;
  previousCrc: number;
  endOffset: number;
}

const aligned = (bytes: number): number => Math.ceil(bytes / FRAME_ALIGN_BYTES) * FRAME_ALIGN_BYTES;
const startOf = (seed: number, offset: number): number => (seed + offset) >>> 0;

/** Encodes one group into one buffer, and the cursor after it. `records` must not be empty. */
export function encodeGroup(
  records: readonly WalRecord[],
  cursor: FrameCursor,
): { bytes: Uint8Array; next: FrameCursor } {
  const payloads = records.map((record) => (record.type === "entry" ? null : encodePayload(record)));
  const sizes = records.map((record, i) =>
    record.type === "entry" ? ENTRY_PREFIX_BYTES + record.entry.data.byteLength : payloads[i]!.byteLength,
  );
  const total = sizes.reduce((sum, size) => sum + aligned(FRAME_HEADER_BYTES + size), 0);
  const out = Buffer.allocUnsafe(total);
  let at = 0;
  let previousCrc = cursor.previousCrc;
  for (const [i, record] of records.entries()) {
    const length = sizes[i]!;
    const end = at + FRAME_HEADER_BYTES + length;
    out.writeUInt32BE(length, at + 4);
    out.writeUInt32BE(previousCrc, at + 8);
    out.writeUInt32BE((cursor.group ^ cursor.seed) >>> 0, at + 12);
    out[at + 16] = RECORD_TYPES[record.type];
    out[at + 17] = i === records.length - 1 ? LAST_OF_GROUP : 0;
    out.writeUInt16BE(0, at + 18);
    if (record.type === "entry") putEntry(out, at + FRAME_HEADER_BYTES, record.entry);
    else out.set(payloads[i]!, at + FRAME_HEADER_BYTES);
    previousCrc = crc32(out.subarray(at + CRC_BYTES, end), startOf(cursor.seed, cursor.offset + at));
    out.writeUInt32BE(previousCrc, at);
    const next = at + aligned(FRAME_HEADER_BYTES + length);
    if (next > end) out.fill(0, end, next);
    at = next;
  }
  return {
    bytes: out,
    next: { seed: cursor.seed, offset: cursor.offset + total, previousCrc, group: cursor.group + 1 },
  };
}

/** The frame at `offset`, or null when there is none whose checksum holds. Does not look at `previous`. */
export function readFrame(segment: Buffer, offset: number, seed: number): Frame | null {
  const payloadAt = offset + FRAME_HEADER_BYTES;
  if (payloadAt > segment.byteLength) return null;
  const length = segment.readUInt32BE(offset + 4);
  const type = segment[offset + 16]!;
  const flags = segment[offset + 17]!;
  if (length === 0 || length > FRAME_PAYLOAD_BYTES_MAX || payloadAt + length > segment.byteLength)
    return null;
  if (type === 0 || flags > LAST_OF_GROUP || segment.readUInt16BE(offset + 18) !== 0) return null;
  const crc = segment.readUInt32BE(offset);
  if (crc32(segment.subarray(offset + CRC_BYTES, payloadAt + length), startOf(seed, offset)) !== crc)
    return null;
  return {
    type,
    payload: segment.subarray(payloadAt, payloadAt + length),
    group: (segment.readUInt32BE(offset + 12) ^ seed) >>> 0,
    last: flags === LAST_OF_GROUP,
    crc,
    previousCrc: segment.readUInt32BE(offset + 8),
    endOffset: offset + aligned(FRAME_HEADER_BYTES + length),
  };
}

/** Offset of a sound frame of a group after `group` somewhere past `offset`, or null: what tells rot from a torn write. */
export function findLaterGroup(segment: Buffer, offset: number, seed: number, group: number): number | null {
  const last = segment.byteLength - FRAME_HEADER_BYTES;
  const groupsMax = segment.byteLength / FRAME_HEADER_BYTES;
  for (let at = aligned(offset); at <= last; at += FRAME_ALIGN_BYTES) {
    if (segment[at + 16]! > RECORD_TYPE_MAX || segment[at + 16] === 0) continue;
    const candidate = (segment.readUInt32BE(at + 12) ^ seed) >>> 0;
    if (candidate <= group || candidate > group + groupsMax) continue;
    const frame = readFrame(segment, at, seed);
    if (frame !== null) return at;
  }
  return null;
}
