/**
 * Segmented, preallocated, checksummed write-ahead log with group commit.
 *
 * Invariant: at most one group is being written and synced; appends that arrive meanwhile form the next group. A promise
 * resolves, and an entry becomes readable, only after the fdatasync that covers it. The next group is never written
 * before that, because recovery reads durability from it (wal-frame.ts). After a failed write or sync nothing is
 * known about the file any more (the kernel may have dropped the pages), so the log is poisoned: every later call
 * rejects and the process must end and recover.
 *
 * Entries after the snapshot are also kept in memory, so that the Raft core reads them synchronously; `compact` bounds
 * them, and whoever drives the log decides when (RAFT_LOG_LIMITS.retainedBytesMax).
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Entry, HardState, Index, LogReader, SnapshotMeta } from "../raft/types.ts";
import type { EntryWindow } from "./entry-window.ts";
import { type FileLayer, nodeFileLayer } from "./file-layer.ts";
import { GroupWriter } from "./group-writer.ts";
import { type RecoveryReport, type Recovered, recoverWal, type SegmentInfo } from "./recover-wal.ts";
import { FRAME_HEADER_BYTES } from "./wal-frame.ts";
import { type ClusterMeta, ENTRY_PREFIX_BYTES, type WalRecord } from "./wal-record.ts";
import { encodeSegmentPrefix, firstCursor, segmentName, UNFINISHED_SUFFIX } from "./wal-segment.ts";

/** A segment that has reached this size is followed by a new one; one group may carry it past. */
export const SEGMENT_BYTES = 16 * 1024 * 1024;
/** Zeros written ahead of the log in one go, so that most syncs change no file size. At most SEGMENT_BYTES. */
export const PREALLOCATE_BYTES = 1024 * 1024;
const ENTRY_FRAME_BYTES = FRAME_HEADER_BYTES + ENTRY_PREFIX_BYTES;

/** One group made durable. */
export interface WalSync {
  appends: number;
  records: number;
  bytes: number;
  /** Write and fdatasync together. */
  durationMs: number;
  /** The fdatasync alone. */
  syncMs: number;
}

export interface WalOptions {
  directory: string;
  files?: FileLayer;
  segmentBytes?: number;
  preallocateBytes?: number;
  /** Monotonic milliseconds, for the observer's durations. */
  nowMs?: () => number;
  /** Eight bytes that tell the segments of a new log from those of any other. */
  newLogId?: () => Uint8Array;
  onSync?: (sync: WalSync) => void;
  /** The disk failed: end the process. Called once. */
  onPoisoned: (error: Error) => void;
}

/** Durable together, in this order: the snapshot replaces the log, entries overwrite from the first one's index on. */
export interface WalWrite {
  snapshot?: SnapshotMeta | null;
  entries?: readonly Entry[];
  hardState?: HardState | null;
}

export class WalPoisonedError extends Error {
  constructor(cause: unknown) {
    super(`the write-ahead log failed and refuses to go on: ${String(cause)}`, { cause });
    this.name = "WalPoisonedError";
  }
}

interface Waiting {
  records: () => WalRecord[];
  duringSync: (() => void) | undefined;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Opens the log of a directory, making it when there is none. Throws `WalCorruptError` (recover-wal.ts). */
export async function openWal(options: WalOptions): Promise<Wal> {
  const files = options.files ?? nodeFileLayer;
  await files.ensureDirectory(options.directory);
  const recovered = await recoverWal(files, options.directory);
  const wal = new Wal(files, options, recovered);
  await wal.begin(recovered);
  return wal;
}

export class Wal {
  readonly report: RecoveryReport;
  readonly #files: FileLayer;
  readonly #options: Required<Omit<WalOptions, "files" | "onSync">> & Pick<WalOptions, "onSync">;
  readonly #window: EntryWindow;
  readonly #logId: Uint8Array;
  readonly #writer: GroupWriter;
  #segments: SegmentInfo[];
  #hardState: HardState;
  /** A commit index that moved alone: written with the next group, since losing it loses nothing. */
  #unwritten: HardState | null = null;
  #cluster: ClusterMeta | null;
  #tail: Index;
  /** What was let go of or replaced by a snapshot, as of the last thing that was planned. Like `#tail` ahead of the window. */
  #floor: Index;
  #queue: Waiting[] = [];
  #flushing: Promise<void> | null = null;
  #poisoned: WalPoisonedError | null = null;
  #closed = false;

  constructor(files: FileLayer, options: WalOptions, recovered: Recovered) {
    this.#files = files;
    this.#options = {
      segmentBytes: SEGMENT_BYTES,
      preallocateBytes: PREALLOCATE_BYTES,
      nowMs: () => performance.now(),
      newLogId: () => randomBytes(8),
      ...options,
    };
    this.#writer = new GroupWriter(this.#options.preallocateBytes, this.#options.nowMs);
    this.#window = recovered.window;
    this.#tail = recovered.window.lastIndex();
    this.#floor = recovered.window.firstIndex() - 1;
    this.#hardState = recovered.hardState;
    this.#cluster = recovered.cluster;
    this.#segments = recovered.segments;
    this.#logId = recovered.logId ?? this.#options.newLogId();
    this.report = recovered.report;
  }

  /** The durable log. */
  get log(): LogReader {
    return this.#window;
  }

  /** The last hard state given, whose term and vote are durable. */
  hardState(): HardState {
    return this.#unwritten ?? this.#hardState;
  }

  /** Null until `initialise`. */
  cluster(): ClusterMeta | null {
    return this.#cluster;
  }

  /** Bytes of entries in memory. */
  retainedBytes(): number {
    return this.#window.bytes();
  }

  /** The highest index whose compaction leaves at most `bytesMax` in memory. */
  indexBefore(bytesMax: number): Index {
    return this.#window.indexBefore(bytesMax);
  }

  /** For `openWal` only: takes the last segment for writing, or makes the first. */
  async begin(recovered: Recovered): Promise<void> {
    const last = this.#segments.at(-1);
    if (last === undefined || recovered.cursor === null) {
      await this.#createSegment(1, null);
      return;
    }
    const file = await this.#files.open(last.path, "existing");
    this.#writer.use(file, recovered.cursor, recovered.lastSizeBytes);
  }

  /** Says whose log this is. Resolves when durable. */
  initialise(cluster: ClusterMeta): Promise<void> {
    return this.#enqueue(() => {
      this.#cluster = cluster;
      return [{ type: "cluster", cluster }];
    });
  }

  /**
   * Resolves when `write` is durable. `duringSync` runs once while the disk works (at once when there is nothing to
   * wait for), and must not throw: the time to apply what is committed. Without it this thread may wait for the disk, when
   * that is short. A hard state that moves only `commit` is kept for the next group.
   * Rejects with a `RangeError` for entries that would leave a gap or overwrite the snapshot (nothing is written).
   */
  append(write: WalWrite, duringSync?: () => void): Promise<void> {
    const { hardState = null, snapshot = null, entries = [] } = write;
    const durable = this.#hardState;
    const still = hardState === null || (hardState.term === durable.term && hardState.vote === durable.vote);
    const nothing = still && snapshot === null && entries.length === 0 && this.#queue.length === 0;
    if (nothing && this.#refusal() === null) {
      if (hardState !== null) this.#unwritten = hardState;
      duringSync?.();
      return Promise.resolve();
    }
    return this.#enqueue(() => this.#plan(snapshot, entries, hardState), duringSync);
  }

  /** Whether this thread would wait for the disk if nothing were to be done while these are written. Decides nothing. */
  wouldWaitFor(entries: readonly Entry[]): boolean {
    const bytes = entries.reduce((sum, { data }) => sum + ENTRY_FRAME_BYTES + data.byteLength, 0);
    return this.#queue.length === 0 && this.#writer.isPrompt(bytes);
  }

  /**
   * Lets go of entries up to the snapshot's index, which must be durable and applied. Resolves when it is recorded. Rejects
   * with a `RangeError` for what is no such entry, or no more after what was given before (nothing is written).
   */
  compact(snapshot: SnapshotMeta): Promise<void> {
    return this.#enqueue(() => {
      if (snapshot.index > this.#window.lastIndex() || snapshot.index <= this.#floor) {
        throw new RangeError(`cannot compact to ${snapshot.index}: it is not a durable entry`);
      }
      this.#floor = snapshot.index;
      return [{ type: "snapshot", snapshot, keepSuffix: true }];
    });
  }

  /** Writes what was given so far, then closes the file. Later calls reject. */
  async close(): Promise<void> {
    if (this.#closed) return;
    const last = this.#unwritten === null || this.#poisoned !== null ? null : this.#enqueue(() => []);
    this.#closed = true;
    await last;
    await this.#flushing;
    await this.#writer.close();
  }

  #refusal(): Error | null {
    if (this.#poisoned !== null) return this.#poisoned;
    return this.#closed ? new Error("the write-ahead log is closed") : null;
  }

  #enqueue(records: () => WalRecord[], duringSync?: () => void): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      this.#queue.push({ records, duringSync, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  /** Checks one append against everything before it, and names what it overwrites. */
  #plan(snapshot: SnapshotMeta | null, entries: readonly Entry[], hardState: HardState | null): WalRecord[] {
    const records: WalRecord[] = [];
    let tail = this.#tail;
    let floor = this.#floor;
    if (snapshot !== null) {
      records.push({ type: "snapshot", snapshot, keepSuffix: false });
      tail = snapshot.index;
      floor = snapshot.index;
    }
    for (const [i, entry] of entries.entries()) {
      if (i === 0 && entry.index <= tail && entry.index > floor) {
        records.push({ type: "truncate", from: entry.index });
        tail = entry.index - 1;
      }
      if (entry.index !== tail + 1) throw new RangeError(`entry ${entry.index} cannot follow entry ${tail}`);
      records.push({ type: "entry", entry });
      tail = entry.index;
    }
    if (hardState !== null) this.#unwritten = hardState;
    this.#tail = tail;
    this.#floor = floor;
    return records;
  }

  async #flush(): Promise<void> {
    try {
      while (this.#queue.length > 0) await this.#writeGroup(this.#queue.splice(0));
    } catch (cause) {
      this.#poison(cause);
    } finally {
      this.#flushing = null;
    }
  }

  async #writeGroup(waiting: Waiting[]): Promise<void> {
    const startMs = this.#options.nowMs();
    const records: WalRecord[] = [];
    const accepted: Waiting[] = [];
    for (const item of waiting) {
      try {
        for (const record of item.records()) records.push(record);
        accepted.push(item);
      } catch (error) {
        item.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
    const hardState = this.#unwritten;
    if (hardState !== null) records.push({ type: "hard_state", hardState });
    try {
      if (records.length > 0) await this.#writeRecords(records, accepted, startMs);
      else for (const item of accepted) item.duringSync?.();
      if (hardState !== null) this.#hardState = hardState;
      if (this.#unwritten === hardState) this.#unwritten = null;
      for (const item of accepted) item.resolve();
      if (records.some((record) => record.type === "snapshot")) await this.#purge();
    } catch (cause) {
      this.#poison(cause);
      for (const item of accepted) item.reject(this.#poisoned ?? new WalPoisonedError(cause));
    }
  }

  async #writeRecords(records: WalRecord[], accepted: readonly Waiting[], startMs: number): Promise<void> {
    if (this.#writer.cursor.offset >= this.#options.segmentBytes) await this.#rotate();
    const { bytes, syncMs } = await this.#writer.write(
      records,
      accepted.map((item) => item.duringSync),
    );
    for (const record of records) this.#read(record);
    const durationMs = this.#options.nowMs() - startMs;
    this.#options.onSync?.({ appends: accepted.length, records: records.length, bytes, durationMs, syncMs });
  }

  /** The durable record becomes readable. */
  #read(record: WalRecord): void {
    if (record.type === "entry") this.#window.append(record.entry);
    else if (record.type === "truncate") this.#window.truncate(record.from);
    else if (record.type === "snapshot") {
      if (record.keepSuffix) this.#window.compact(record.snapshot);
      else this.#window.install(record.snapshot);
    }
    const segment = this.#segments.at(-1)!;
    segment.highestIndex = Math.max(segment.highestIndex, this.#window.lastIndex());
  }

  async #rotate(): Promise<void> {
    const before = this.#segments.at(-1)!;
    const { offset: endBytes, previousCrc: crc } = this.#writer.cursor;
    await this.#writer.close();
    await this.#createSegment(before.sequence + 1, { endBytes, crc });
  }

  /** A segment appears under its name only when its first group is durable, so recovery never meets half a header. */
  async #createSegment(sequence: number, previous: { endBytes: number; crc: number } | null): Promise<void> {
    const { directory } = this.#options;
    const firstIndex = this.#window.lastIndex() + 1;
    const path = join(directory, segmentName(sequence, firstIndex));
    const prefix = encodeSegmentPrefix(this.#logId, sequence);
    const snapshot = this.#window.snapshot();
    const records: WalRecord[] = [{ type: "segment", header: { sequence, firstIndex, previous } }];
    if (this.#cluster !== null) records.push({ type: "cluster", cluster: this.#cluster });
    if (snapshot !== null) records.push({ type: "snapshot", snapshot, keepSuffix: true });
    records.push({ type: "hard_state", hardState: this.#hardState });
    const file = await this.#files.open(path + UNFINISHED_SUFFIX, "create");
    await this.#writer.begin(file, prefix, records, firstCursor(prefix));
    await this.#files.rename(path + UNFINISHED_SUFFIX, path);
    await this.#files.syncDirectory(directory);
    this.#segments.push({ path, sequence, highestIndex: this.#window.lastIndex() });
  }

  /** Removes segments, oldest first, in which every entry is covered by the snapshot. Never the one written to. */
  async #purge(): Promise<void> {
    const covered = this.#window.snapshot()?.index ?? 0;
    let removed = 0;
    while (this.#segments.length - removed > 1 && this.#segments[removed]!.highestIndex <= covered) {
      await this.#files.unlink(this.#segments[removed]!.path);
      removed += 1;
    }
    if (removed === 0) return;
    this.#segments = this.#segments.slice(removed);
    await this.#files.syncDirectory(this.#options.directory);
  }

  #poison(cause: unknown): void {
    if (this.#poisoned !== null) return;
    this.#poisoned = new WalPoisonedError(cause);
    for (const item of this.#queue.splice(0)) item.reject(this.#poisoned);
    this.#options.onPoisoned(this.#poisoned);
  }
}
