/**
 * Puts groups of records into the open segment, one after the other.
 *
 * Invariant: a group is written only when the one before it is durable, because recovery reads durability from it
 * (wal-frame.ts); whoever calls sees to that by waiting.
 *
 * A small group on a fast disk is written and synced on the spot: two hand-overs to other threads cost more than such a
 * disk takes. The thread stands still meanwhile, heartbeats too, so a disk must have shown that it is fast: one group that
 * took PROMPT_SYNC_MS_MAX or longer, and the next PROMPT_AGAIN_GROUPS are handed over, and the last of those must have been
 * fast as well. A disk that turns slow therefore stalls the thread once, for as long as that one sync takes, and a disk that
 * is slow now and then for one group in PROMPT_AGAIN_GROUPS at most.
 */
import { type LogFile, writeAll } from "./file-layer.ts";
import { encodeGroup, type FrameCursor } from "./wal-frame.ts";
import type { WalRecord } from "./wal-record.ts";

/** A group up to this size may be written and synced on the spot. */
export const PROMPT_BYTES_MAX = 4 * 1024;
export const PROMPT_SYNC_MS_MAX = 1;
export const PROMPT_AGAIN_GROUPS = 32;

export interface WrittenGroup {
  bytes: number;
  /** The fdatasync alone; with the write when both were done on the spot. */
  syncMs: number;
}

export class GroupWriter {
  readonly #zeros: Uint8Array;
  readonly #nowMs: () => number;
  #file: LogFile | null = null;
  #cursor: FrameCursor = { seed: 0, offset: 0, previousCrc: 0, group: 0 };
  #allocatedBytes = 0;
  #lastSyncMs = Infinity;
  /** Groups that are still handed over after a slow one. */
  #handedOver = 0;

  /** `preallocateBytes`: zeros are written ahead in steps of so many. */
  constructor(preallocateBytes: number, nowMs: () => number) {
    this.#zeros = new Uint8Array(preallocateBytes);
    this.#nowMs = nowMs;
  }

  /** Where the next group goes. */
  get cursor(): FrameCursor {
    return this.#cursor;
  }

  /** Goes on in `file`, in which `allocatedBytes` have been written already, zeros included. */
  use(file: LogFile, cursor: FrameCursor, allocatedBytes: number): void {
    this.#file = file;
    this.#cursor = cursor;
    this.#allocatedBytes = allocatedBytes;
  }

  /** Begins a new file: `prefix`, and the first group behind it. Resolves when both are durable. */
  async begin(
    file: LogFile,
    prefix: Uint8Array,
    first: readonly WalRecord[],
    cursor: FrameCursor,
  ): Promise<void> {
    this.use(file, cursor, 0);
    const { bytes, next } = encodeGroup(first, cursor);
    await writeAll(file, [prefix, ...this.#padded(bytes, next.offset)], 0);
    await file.datasync();
    this.#cursor = next;
  }

  /** Resolves when the group is durable; `duringSync` run while the disk works. Rejects when the disk fails. */
  async write(
    records: readonly WalRecord[],
    duringSync: readonly ((() => void) | undefined)[],
  ): Promise<WrittenGroup> {
    const file = this.#openFile();
    const { bytes, next } = encodeGroup(records, this.#cursor);
    const pieces = this.#padded(bytes, next.offset);
    let syncStartMs = this.#nowMs();
    const isFree = pieces.length === 1 && duringSync.every((act) => act === undefined);
    if (file.writevSynced !== undefined && isFree && this.isPrompt(bytes.byteLength)) {
      file.writevSynced(pieces, this.#cursor.offset);
    } else {
      await writeAll(file, pieces, this.#cursor.offset);
      syncStartMs = this.#nowMs();
      const synced = file.datasync();
      for (const act of duringSync) act?.();
      await synced;
    }
    this.#cursor = next;
    const syncMs = this.#nowMs() - syncStartMs;
    this.#noteSync(syncMs);
    return { bytes: bytes.byteLength, syncMs };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  #noteSync(syncMs: number): void {
    this.#lastSyncMs = syncMs;
    if (syncMs >= PROMPT_SYNC_MS_MAX) this.#handedOver = PROMPT_AGAIN_GROUPS;
    else if (this.#handedOver > 0) this.#handedOver -= 1;
  }

  /** Whether waiting for the disk on this thread would cost less than handing a group of this size over twice. */
  isPrompt(groupBytes: number): boolean {
    return (
      this.#lastSyncMs < PROMPT_SYNC_MS_MAX &&
      this.#handedOver === 0 &&
      groupBytes <= PROMPT_BYTES_MAX &&
      this.#file?.writevSynced !== undefined
    );
  }

  /** The group, and zeros after it up to the next step of preallocation when it reaches past what is allocated. */
  #padded(bytes: Uint8Array, endOffset: number): Uint8Array[] {
    if (endOffset <= this.#allocatedBytes) return [bytes];
    const step = this.#zeros.byteLength;
    this.#allocatedBytes = Math.ceil(endOffset / step) * step;
    return [bytes, this.#zeros.subarray(0, this.#allocatedBytes - endOffset)];
  }

  #openFile(): LogFile {
    if (this.#file === null) throw new Error("the write-ahead log has no open segment");
    return this.#file;
  }
}
