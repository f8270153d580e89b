import { join } from "node:path";
import type { HardState } from "../raft/types.ts";
import { EntryWindow } from "./entry-window.ts";
import { type FileLayer, writeAll } from "./file-layer.ts";
import type { FrameCursor } from "./wal-frame.ts";
import type { ClusterMeta, WalRecord } from "./wal-record.ts";
import {
  parseSegmentName,
  scanSegment,
  type SegmentScan,
  UNFINISHED_SUFFIX,
  WalCorruptError,
} from "./wal-segment.ts";

/** What opening the log found and did. */
export interface RecoveryReport {
  segments: number;
  entries: number;
  /** A write that was never acknowledged was cut off the last segment; null when it ended cleanly. */
  repaired: { file: string; offset: number; bytesDropped: number } | null;
}

export interface SegmentInfo {
  path: string;
  sequence: number;
  /** Highest entry index ever written in it; when compaction passes it, the segment can go. */
  highestIndex: number;
}

export interface Recovered {
  window: EntryWindow;
  hardState: HardState;
  cluster: ClusterMeta | null;
  /** Oldest first; the last one is open for writing at `cursor`. Empty for a new log. */
  segments: SegmentInfo[];
  cursor: FrameCursor | null;
  logId: Uint8Array | null;
  lastSizeBytes: number;
  report: RecoveryReport;
}

/**
 * Reads a log directory back. Cuts an unacknowledged write off the last segment and makes everything it answers
 * durable: a killed process may have left the end, and the names of files, in the kernel's memory only. Throws `WalCorruptError` for anything else
 * that is not exactly what was written.
 */
export async function recoverWal(files: FileLayer, directory: string): Promise<Recovered> {
  const names = await files.list(directory);
  for (const name of names) {
    if (name.endsWith(UNFINISHED_SUFFIX)) await files.unlink(join(directory, name));
  }
  const found = names.flatMap((name) => {
    const parsed = parseSegmentName(name);
    return parsed === null ? [] : [{ ...parsed, path: join(directory, name) }];
  });
  found.sort((a, b) => a.sequence - b.sequence);
  const replay = new Replay();
  let content: Uint8Array = new Uint8Array(0);
  for (const [i, segment] of found.entries()) {
    content = await files.read(segment.path);
    const isLast = i === found.length - 1;
    replay.segment(segment.path, segment.sequence, content, isLast);
  }
  replay.finish();
  const repaired = await settleLast(files, replay, content);
  await files.syncDirectory(directory);
  return {
    window: replay.window,
    hardState: replay.hardState,
    cluster: replay.cluster,
    segments: replay.segments,
    cursor: replay.last?.cursor ?? null,
    logId: replay.last?.logId ?? null,
    lastSizeBytes: repaired === null ? content.byteLength : repaired.offset,
    report: {
      segments: found.length,
      entries: replay.window.lastIndex() - replay.window.firstIndex() + 1,
      repaired,
    },
  };
}

/**
 * The last group is written once more: after a failed sync the kernel may take its pages for clean although the device never
 * got them, and then syncing alone would do nothing. Groups before it were durable when it was begun (wal-frame.ts).
 */
async function settleLast(
  files: FileLayer,
  replay: Replay,
  content: Uint8Array,
): Promise<RecoveryReport["repaired"]> {
  const path = replay.segments.at(-1)?.path;
  const scan = replay.last;
  if (path === undefined || scan === null) return null;
  const end = scan.cursor.offset;
  const file = await files.open(path, "existing");
  try {
    const torn = scan.tornAt !== null;
    if (torn) await file.truncate(end);
    await writeAll(file, [content.subarray(scan.lastGroupAt, end)], scan.lastGroupAt);
    await file.datasync();
    if (!torn) return null;
    return { file: path, offset: end, bytesDropped: content.byteLength - end };
  } finally {
    await file.close();
  }
}

/** Rebuilds the state record by record, refusing whatever could not have been written. */
class Replay {
  readonly window = new EntryWindow();
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  cluster: ClusterMeta | null = null;
  readonly segments: SegmentInfo[] = [];
  last: SegmentScan | null = null;

  segment(path: string, sequence: number, bytes: Uint8Array, isLast: boolean): void {
    const before = this.segments.at(-1);
    if (before !== undefined && sequence !== before.sequence + 1) {
      throw new WalCorruptError(path, 0, `segment ${before.sequence + 1} is missing before it`);
    }
    const scan = scanSegment(path, bytes, sequence);
    if (this.last !== null && !this.last.logId.equals(scan.logId)) {
      throw new WalCorruptError(path, 8, "the segment belongs to another log");
    }
    if (!isLast && scan.tornAt !== null) {
      throw new WalCorruptError(path, scan.tornAt, "a record of a finished segment fails its checksum");
    }
    const info: SegmentInfo = { path, sequence, highestIndex: 0 };
    if (scan.records.length === 0) throw new WalCorruptError(path, 0, "the segment has no first record");
    for (const { record, offset } of scan.records) {
      try {
        this.#apply(record, offset, path);
      } catch (cause) {
        if (cause instanceof WalCorruptError || !(cause instanceof RangeError)) throw cause;
        throw new WalCorruptError(path, offset, cause.message, { cause });
      }
      info.highestIndex = Math.max(info.highestIndex, this.window.lastIndex());
    }
    this.segments.push(info);
    this.last = scan;
  }

  /** The first segments may be gone only when a snapshot stands for them. */
  finish(): void {
    const first = this.segments[0];
    if (first === undefined) return;
    const covered = this.window.snapshot()?.index ?? 0;
    if (this.window.firstIndex() !== covered + 1) {
      const missing = `entries ${covered + 1} to ${this.window.firstIndex() - 1} are in no segment`;
      throw new WalCorruptError(first.path, 0, `${missing}: a segment before it was removed`);
    }
  }

  #apply(record: WalRecord, offset: number, path: string): void {
    switch (record.type) {
      case "segment":
        return this.#header(record.header, offset, path);
      case "cluster":
        this.cluster = record.cluster;
        return undefined;
      case "hard_state":
        this.hardState = record.hardState;
        return undefined;
      case "entry":
        return this.window.append(record.entry);
      case "truncate":
        return this.window.truncate(record.from);
      case "snapshot":
        return record.keepSuffix
          ? this.window.compact(record.snapshot)
          : this.window.install(record.snapshot);
    }
  }

  #header(
    header: { firstIndex: number; previous: { endBytes: number; crc: number } | null },
    offset: number,
    path: string,
  ): void {
    if (this.last === null) {
      this.window.reset(header.firstIndex - 1, header.firstIndex === 1 ? 0 : undefined);
      return;
    }
    const end = this.last.cursor;
    if (header.previous?.endBytes !== end.offset || header.previous.crc !== end.previousCrc) {
      const before = this.segments.at(-1)?.path ?? path;
      const wanted = header.previous?.endBytes ?? 0;
      throw new WalCorruptError(before, end.offset, `it was ${wanted} bytes long when ${path} was begun`);
    }
    if (header.firstIndex !== this.window.lastIndex() + 1) {
      throw new WalCorruptError(path, offset, `it begins at ${header.firstIndex}, not after the last entry`);
    }
  }
}
