import { createHash } from "node:crypto";
import { closeSync, existsSync, fdatasyncSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { FEED_RETAINED_ENTRIES_MAX } from "../../contracts/limits.ts";
import { type ApplyOutcome, applyCommand } from "../../domain/command/apply-command.ts";
import { type RestoredState } from "../../domain/backup/backup-origin.ts";
import type { FeedEntry } from "../../domain/command/feed-entry.ts";
import { isKeptRow, type StateChange, stateKey, type StateView } from "../../domain/command/state-view.ts";
import type { StateRow } from "../../domain/backup/restore-rows.ts";
import type { Namespace } from "../../domain/config/config-name.ts";
import type { FeedSource } from "../../domain/command/read-feed.ts";
import { replaceFile, syncDirectory } from "../storage/replace-file.ts";
import { closeInTurn } from "../close-in-turn.ts";
import type { StateMachine } from "../replicated-log.ts";
import { copyStepwise, StateCopies } from "./copy-state.ts";
import { decodeLogEntry } from "./log-entry.ts";
import { OpenTransaction } from "./open-transaction.ts";
import {
  openDatabase,
  prepare,
  readCopy,
  STATE_FORMAT,
  STATE_FORMAT_MOVED,
  type StateFile,
  StateFormatError,
} from "./state-schema.ts";
import { type Position, readIndex, readPosition, writePosition } from "./state-position.ts";
import { adoptStaged, dropStaged, stageRows } from "./staged-rows.ts";

/**
 * The state machine's store: ordered rows, contents, the feed and how far the log has been applied, in one SQLite file.
 *
 * Invariant: everything a command changed and `last_applied` are in the same transaction, which may hold many batches
 * (open-transaction.ts). A crash therefore leaves the state exactly at some index, and the log goes on from there; were
 * `last_applied` written on its own, a command would be applied twice or never. Nothing here may depend on how entries were cut
 * into batches or batches into transactions, or nodes would come apart.
 *
 * The index that the world is told is the log's plus `indexBase`: a restore into a young cluster moves it past the
 * backup's, so that ids and revisions never come twice. `lastApplied` alone is the log's own.
 */
/** Feed entries that one page of a read may look at. */
const FEED_PAGE = 256;

export interface StateStoreOptions extends StateFile {
  feedRetainedEntriesMax?: number;
  /** Called after each batch: to wake readers and count. */
  onApplied?: (applied: AppliedBatch) => void;
  /** Called when a snapshot has taken the place of the state. */
  onInstalled?: () => void;
}
export interface AppliedBatch {
  lastApplied: number;
  lastTimestampMs: number;
  feedEntries: FeedEntry[];
  /** With the commits since the batch before. */
  durationMs: number;
}

export class StateStore implements StateMachine<ApplyOutcome>, StateView {
  readonly #options: StateStoreOptions;
  #db: DatabaseSync;
  readonly #clusterId: string;
  readonly #feedRetainedMax: number;
  readonly #onApplied: (applied: AppliedBatch) => void;
  readonly #copies = new StateCopies();
  #sql: ReturnType<typeof prepare>;
  #transaction: OpenTransaction;
  #at: Position;
  /** Copies that are made page by page through this connection: none goes on while a transaction is open. */
  #stepwiseCopies = 0;
  /** Since the last batch, which is told of it. */
  #settlingMs = 0;

  /** Opens or makes the file. Throws `StateFormatError`, or SQLite's error for a file that cannot be read or written. */
  constructor(options: StateStoreOptions) {
    this.#options = options;
    this.#clusterId = options.clusterId;
    this.#feedRetainedMax = options.feedRetainedEntriesMax ?? FEED_RETAINED_ENTRIES_MAX;
    this.#onApplied = options.onApplied ?? (() => undefined);
    this.#db = openDatabase(options);
    this.#sql = prepare(this.#db);
    this.#transaction = this.#newTransaction();
    this.#at = readPosition(this.#sql);
  }

  /** Of the state as it is now: only a restore changes it. */
  get snapshotFormat(): number {
    return this.#at.indexBase > 0 ? STATE_FORMAT_MOVED : STATE_FORMAT;
  }
  /** Of the log. */
  lastApplied(): number {
    return this.#at.lastApplied;
  }
  /** How far the state is, as the world is told. */
  index(): number {
    return this.#at.lastApplied + this.#at.indexBase;
  }
  /** The last restore; null when there was none. */
  restored(): RestoredState | null {
    return (this.json(stateKey.restored) as RestoredState | undefined) ?? null;
  }
  lastTimestampMs(): number {
    return this.#at.lastTimestampMs;
  }
  lastFeedIndex(): number {
    return this.#at.lastFeedIndex;
  }
  epoch(): number {
    return this.#at.epoch;
  }

  /**
   * Applies a batch; later commands see what earlier ones wrote. Throws when an entry is not the next one, is of an unknown
   * format, or the disk fails: then nothing of the batch is kept, nor of those before it that were not committed yet. The store
   * is of no use any more and throws the same whatever it is asked: the node must stop, and the next one opens it where it is.
   */
  apply(entries: readonly { index: number; data: Uint8Array | null }[]): (ApplyOutcome | null)[] {
    const startedMs = performance.now();
    const feedEntries: FeedEntry[] = [];
    const outcomes = this.#transaction.apply(entries, () =>
      entries.map((entry) => this.#applyOne(entry, feedEntries)),
    );
    if (this.#stepwiseCopies > 0) this.#transaction.commit();
    const { lastApplied, lastTimestampMs } = this.#at;
    const durationMs = performance.now() - startedMs + this.#settlingMs;
    this.#settlingMs = 0;
    this.#onApplied({ lastApplied, lastTimestampMs, feedEntries, durationMs });
    return outcomes;
  }

  json(key: string): unknown {
    this.#transaction.check();
    const row = this.#sql.getJson.get(key) as { value: string } | undefined;
    return row === undefined ? undefined : (JSON.parse(row.value) as unknown);
  }

  bytes(key: string): Uint8Array | undefined {
    this.#transaction.check();
    return (this.#sql.getBlob.get(key) as { bytes: Uint8Array } | undefined)?.bytes;
  }

  hasKey(key: string): boolean {
    this.#transaction.check();
    return this.#sql.hasJson.get(key) !== undefined || this.#sql.hasBlob.get(key) !== undefined;
  }

  /** Reads a page at once and not row by row: a reader that stops early leaves no open cursor behind. */
  scan(prefix: string, options: { after?: string; limit: number }): { key: string; value: unknown }[] {
    this.#transaction.check();
    const { after } = options;
    const end = endOf(prefix);
    const rows = (
      after !== undefined && after >= prefix
        ? this.#sql.scanAfter.all(after, end, options.limit)
        : this.#sql.scanFrom.all(prefix, end, options.limit)
    ) as { key: string; value: string }[];
    return rows.map(({ key, value }) => ({ key, value: JSON.parse(value) as unknown }));
  }

  /**
   * How many configs each namespace has. SQLite counts, so that a node with many is not kept from its heartbeats; namespaces
   * are found by going from one to the next.
   */
  *configCounts(): Generator<{ namespace: Namespace; count: number }> {
    const end = endOf(stateKey.configByNamePrefix);
    let from: string = stateKey.configByNamePrefix;
    for (;;) {
      this.#transaction.check();
      const row = this.#sql.scanFrom.get(from, end, 1) as { key: string } | undefined;
      if (row === undefined) return;
      const [, tenant = "", app = "", env = ""] = row.key.split("/");
      const prefix = stateKey.configByName(tenant, app, env, "");
      from = endOf(prefix);
      const { count } = this.#sql.countBetween.get(prefix, from) as { count: number };
      yield { namespace: { tenant, app, env }, count };
    }
  }

  feed(): FeedSource {
    this.#transaction.check();
    const readAfter = (after: number): { idx: number; entry: string }[] => {
      this.#transaction.check();
      return this.#sql.feedAfter.all(after, FEED_PAGE) as { idx: number; entry: string }[];
    };
    return {
      appliedIndex: this.index(),
      compactedIndex: this.#at.compactedIndex,
      *entriesAfter(after) {
        let cursor = after;
        for (;;) {
          const rows = readAfter(cursor);
          for (const { idx, entry } of rows) {
            yield { entry: JSON.parse(entry) as FeedEntry, chars: entry.length };
            cursor = idx;
          }
          if (rows.length < FEED_PAGE) return;
        }
      },
    };
  }

  /** SHA-256 over all that the log decides: equal on two nodes that have applied the same index. Reads everything. */
  stateHash(): string {
    this.#transaction.check();
    const hash = createHash("sha256");
    const { feedCount: _count, ...at } = this.#at;
    hash.update(JSON.stringify(at));
    for (const row of this.#sql.allStaged.iterate()) {
      hash.update(JSON.stringify([row["position"]])).update(row["sha256"] as string);
    }
    for (const row of this.#sql.allJson.iterate()) hash.update(JSON.stringify([row["key"], row["value"]]));
    for (const row of this.#sql.allBlobs.iterate()) {
      const bytes = row["bytes"] as Uint8Array;
      hash.update(JSON.stringify([row["key"], bytes.byteLength])).update(bytes);
    }
    for (const row of this.#sql.allFeed.iterate()) hash.update(JSON.stringify([row["idx"], row["entry"]]));
    return hash.digest("hex");
  }

  /**
   * Every row that a backup holds, in the order that its hash is made in: all but those that a restore keeps. Nothing
   * may be applied until the last one has been taken: this is for copies.
   */
  *rows(): Generator<StateRow> {
    this.#transaction.check();
    const utf8 = new TextEncoder();
    for (const row of this.#sql.allJson.iterate()) {
      const { key, value } = row as { key: string; value: string };
      if (isKeptRow(key)) continue;
      yield { kind: "json", key: utf8.encode(key), value: utf8.encode(value) };
    }
    for (const row of this.#sql.allBlobs.iterate()) {
      const { key, bytes } = row as { key: string; bytes: Uint8Array };
      yield { kind: "bytes", key: utf8.encode(key), value: bytes };
    }
  }

  /** Brings everything applied into the file. Throws like `apply`. */
  settle(): void {
    const startedMs = performance.now();
    this.#transaction.commit();
    this.#settlingMs += performance.now() - startedMs;
  }

  /**
   * Makes everything applied survive a power cut. In WAL mode NORMAL leaves that to checkpoints, but the journal alone does
   * too. In TRUNCATE mode every commit syncs the file, but not that its journal is empty: one that came back after a power cut
   * would undo the last commit. Throws like `apply`.
   */
  makeDurable(): void {
    this.settle();
    const { path, journal } = this.#options;
    this.#transaction.commitDurably(() => {
      syncFile(path + (journal === "wal" ? "-wal" : "-journal"));
      syncDirectory(dirname(path));
    });
  }

  /**
   * In WAL mode the state as it is when the copying begins, by a thread (copy-state.ts). In TRUNCATE mode as it is at the end,
   * page by page beside the writes; pages that change meanwhile are copied again. Either is of everything applied before.
   */
  async copyTo(path: string): Promise<number> {
    const { journal, path: from, clusterId } = this.#options;
    this.settle();
    if (journal === "wal") return this.#copies.make({ db: this.#db, path: from, clusterId }, path);
    this.#stepwiseCopies += 1;
    try {
      await copyStepwise(this.#db, path);
      return readCopy(path, clusterId).index;
    } finally {
      this.#stepwiseCopies -= 1;
    }
  }

  copyFormat(path: string): number {
    return readCopy(path, this.#clusterId).format;
  }

  install(path: string, index: number): void {
    const found = readCopy(path, this.#clusterId).index;
    if (found !== index) throw new StateFormatError(`the snapshot stands at ${found}, not at ${index}`);
    this.#copies.stop();
    // What is open goes with the state that is replaced.
    this.#transaction.rollBack();
    // Closing it brings all of the journal into the file, if nobody else has it open.
    this.close();
    // Of the old state; closing has emptied and removed them, but the new one must never meet them.
    for (const suffix of ["-wal", "-shm", "-journal"]) rmSync(this.#options.path + suffix, { force: true });
    replaceFile(path, this.#options.path);
    this.#db = openDatabase(this.#options);
    this.#sql = prepare(this.#db);
    this.#transaction = this.#newTransaction();
    this.#at = readPosition(this.#sql);
    this.#options.onInstalled?.();
  }

  /** Brings everything applied into the file first; throws when it cannot, and is closed all the same. Idempotent. */
  close(): void {
    if (!this.#db.isOpen) return;
    closeInTurn(
      { close: () => this.#copies.stop() },
      { close: () => this.#transaction.hasFailed() || this.settle() },
      { close: () => this.#db.close() },
    );
  }

  #newTransaction(): OpenTransaction {
    return new OpenTransaction(this.#db, {
      write: () => writePosition(this.#sql, this.#at),
      index: () => readIndex(this.#sql),
    });
  }

  #applyOne(
    entry: { index: number; data: Uint8Array | null },
    feedEntries: FeedEntry[],
  ): ApplyOutcome | null {
    if (entry.index !== this.#at.lastApplied + 1) {
      throw new Error(`entry ${entry.index} after ${this.#at.lastApplied}: the log has a gap`);
    }
    this.#at.lastApplied = entry.index;
    if (entry.data === null) return null;
    const { command, attachments, timestampMs } = decodeLogEntry(entry.data);
    // A new leader may have stamped before it saw the old one's last stamps: time stands still, it never goes back.
    this.#at.lastTimestampMs = Math.max(this.#at.lastTimestampMs, timestampMs);
    const { changes, feedEntry, movedTo, outcome } = applyCommand({
      state: this,
      command,
      attachments,
      index: this.index(),
      prevFeedIndex: this.#at.lastFeedIndex,
      timestampMs: this.#at.lastTimestampMs,
      clusterId: this.#clusterId,
      epoch: this.#at.epoch,
    });
    for (const change of changes) this.#write(change);
    if (movedTo !== null) {
      const { epoch, index, timestampMs: lastTimestampMs } = movedTo;
      Object.assign(this.#at, { epoch, indexBase: index - entry.index, lastTimestampMs });
    }
    if (feedEntry !== null) {
      this.#appendFeed(feedEntry);
      feedEntries.push(feedEntry);
    }
    return outcome;
  }

  #write(change: StateChange): void {
    if (change.op === "put_json") this.#sql.putJson.run(change.key, JSON.stringify(change.value));
    else if (change.op === "put_bytes") this.#sql.putBlob.run(change.key, change.bytes);
    else if (change.op === "delete") {
      this.#sql.deleteJson.run(change.key);
      this.#sql.deleteBlob.run(change.key);
    } else if (change.op === "stage_rows") stageRows(this.#db, change.chunk);
    else if (change.op === "drop_staged") dropStaged(this.#db);
    else adoptStaged(this.#db);
  }

  #appendFeed(entry: FeedEntry): void {
    this.#sql.putFeed.run(entry.index, entry.prev_index, JSON.stringify(entry));
    this.#at.lastFeedIndex = entry.index;
    this.#at.feedCount += 1;
    if (this.#at.feedCount <= this.#feedRetainedMax) return;
    const oldest = this.#sql.oldestFeed.get() as { idx: number };
    this.#sql.deleteFeed.run(oldest.idx);
    this.#at.feedCount -= 1;
    this.#at.compactedIndex = oldest.idx;
  }
}

/** Does nothing where there is no such file. */
function syncFile(path: string): void {
  if (!existsSync(path)) return;
  const file = openSync(path, "r");
  try {
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The first text after every text that begins with `prefix` (which ends in an ASCII character). */
function endOf(prefix: string): string {
  if (prefix === "") return "\u{10FFFF}";
  const last = prefix.charCodeAt(prefix.length - 1);
  return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}
