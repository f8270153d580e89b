import { crc32 } from "node:zlib";
import type { Index } from "../raft/types.ts";
import { findLaterGroup, type FrameCursor, readFrame } from "./wal-frame.ts";
import { decodePayload, type WalRecord } from "./wal-record.ts";

/** magic and format version (8), id of the log (8), sequence u32, crc32 of these twenty bytes. */
export const SEGMENT_PREFIX_BYTES = 24;
const MAGIC = Buffer.from("CFXWAL\0\u0001", "latin1");
const LOG_ID_BYTES = 8;
const ZEROS = Buffer.alloc(64 * 1024);
const NAME = /^(\d{10})-(\d{16})\.wal$/;
/** A segment while it is being made; one found at start was never used. */
export const UNFINISHED_SUFFIX = ".new";

/** The log on disk is not what was written: nobody should guess what is missing. Names the file and the offset. */
export class WalCorruptError extends Error {
  readonly file: string;
  readonly offset: number;
  constructor(file: string, offset: number, reason: string, options?: { cause: unknown }) {
    super(`write-ahead log ${file} is corrupt at offset ${offset}: ${reason}`, options);
    this.name = "WalCorruptError";
    this.file = file;
    this.offset = offset;
  }
}

export function segmentName(sequence: number, firstIndex: Index): string {
  return `${String(sequence).padStart(10, "0")}-${String(firstIndex).padStart(16, "0")}.wal`;
}

/** Sequence and first index of a segment's name, or null for any other file. */
export function parseSegmentName(name: string): { sequence: number; firstIndex: Index } | null {
  const match = NAME.exec(name);
  return match === null ? null : { sequence: Number(match[1]), firstIndex: Number(match[2]) };
}

export function encodeSegmentPrefix(logId: Uint8Array, sequence: number): Uint8Array {
  const prefix = Buffer.alloc(SEGMENT_PREFIX_BYTES);
  prefix.set(MAGIC, 0);
  prefix.set(logId.subarray(0, LOG_ID_BYTES), MAGIC.byteLength);
  prefix.writeUInt32BE(sequence, 16);
  prefix.writeUInt32BE(crc32(prefix.subarray(0, 20)), 20);
  return prefix;
}

/** The cursor of a segment's first frame. */
export function firstCursor(prefix: Uint8Array): FrameCursor {
  const seed = crc32(prefix.subarray(0, 20));
  return { seed, offset: SEGMENT_PREFIX_BYTES, previousCrc: seed, group: 0 };
}

export interface SegmentScan {
  logId: Buffer;
  records: { record: WalRecord; offset: number }[];
  /** Where the next frame goes: after the last whole group. */
  cursor: FrameCursor;
  /** Where the last whole group begins, the segment's header with the first one; 0 when there is none. */
  lastGroupAt: number;
  /** First offset that is not a sound frame in its place, and bytes other than zero lie from `cursor` on. */
  tornAt: number | null;
}

/**
 * Reads a segment's whole groups. A group without its last frame was never acknowledged and is left out.
 * Throws `WalCorruptError` for a bad prefix, for a frame that was durable once and is not sound now, and for a record of a
 * format this version does not know.
 */
export function scanSegment(file: string, bytes: Uint8Array, sequence: number): SegmentScan {
  const segment = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkPrefix(file, segment, sequence);
  const logId = segment.subarray(8, 16);
  let cursor = firstCursor(segment);
  const { seed } = cursor;
  const records: SegmentScan["records"] = [];
  let group: SegmentScan["records"] = [];
  let offset = cursor.offset;
  let previousCrc = cursor.previousCrc;
  let lastGroupAt = 0;
  for (;;) {
    const frame = readFrame(segment, offset, seed);
    if (frame === null || frame.previousCrc !== previousCrc || frame.group !== cursor.group) break;
    group.push({ record: decode(file, offset, frame.type, frame.payload), offset });
    offset = frame.endOffset;
    previousCrc = frame.crc;
    if (!frame.last) continue;
    for (const item of group) records.push(item);
    group = [];
    lastGroupAt = cursor.group === 0 ? 0 : cursor.offset;
    cursor = { seed, offset, previousCrc, group: cursor.group + 1 };
  }
  if (isZero(segment, cursor.offset)) return { logId, records, cursor, lastGroupAt, tornAt: null };
  const later = findLaterGroup(segment, offset, seed, cursor.group);
  if (later !== null) {
    throw new WalCorruptError(
      file,
      offset,
      `the record there fails its checksum, yet sound records written after it follow at offset ${later}`,
    );
  }
  return { logId, records, cursor, lastGroupAt, tornAt: offset };
}

function checkPrefix(file: string, segment: Buffer, sequence: number): void {
  if (segment.byteLength < SEGMENT_PREFIX_BYTES) {
    throw new WalCorruptError(file, segment.byteLength, "the file ends inside the segment header");
  }
  if (!segment.subarray(0, MAGIC.byteLength).equals(MAGIC)) {
    throw new WalCorruptError(file, 0, "not a segment of this log format");
  }
  if (crc32(segment.subarray(0, 20)) !== segment.readUInt32BE(20)) {
    throw new WalCorruptError(file, 0, "the segment header fails its checksum");
  }
  if (segment.readUInt32BE(16) !== sequence) {
    throw new WalCorruptError(file, 16, `its name says segment ${sequence}, its header another`);
  }
}

function decode(file: string, offset: number, type: number, payload: Uint8Array): WalRecord {
  try {
    return decodePayload(type, payload);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new WalCorruptError(file, offset, `the record is sound but cannot be read (${why})`, { cause });
  }
}

function isZero(segment: Buffer, from: number): boolean {
  for (let at = from; at < segment.byteLength; at += ZEROS.byteLength) {
    const chunk = segment.subarray(at, at + ZEROS.byteLength);
    if (!chunk.equals(ZEROS.subarray(0, chunk.byteLength))) return false;
  }
  return true;
}
