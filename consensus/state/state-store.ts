import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { backup, DatabaseSync, type StatementSync } from "node:sqlite";
import { FEED_RETAINED_ENTRIES_MAX } from "../../contracts/limits.ts";
import { type ApplyOutcome, applyCommand } from "../../domain/command/apply-command.ts";
import type { FeedEntry } from "../../domain/command/feed-entry.ts";
import type { StateChange, StateView } from "../../domain/command/state-view.ts";
import type { FeedSource } from "../../domain/command/read-feed.ts";
import { replaceFile } from "../storage/replace-file.ts";
import type { StateMachine } from "../replicated-log.ts";
import { decodeLogEntry } from "./log-entry.ts";

/**
 * The state machine's store: ordered rows, contents, the feed and how far the log has been applied, in one SQLite file.
 *
 * Invariant: everything a command changed and `last_applied` are in the same transaction. A crash therefore leaves the
 * state exactly at some index, and the log goes on from there; were `last_applied` written on its own, a command would be
 * applied twice or never. Nothing here may depend on how entries were cut into batches, or nodes would come apart.
 */
export const STATE_FORMAT = 1;
/** Database pages that are copied in one step of a snapshot, while which writes wait. */
const SNAPSHOT_PAGES = 1_000;
/**
 * SQLite carries its journal into the file after this many pages (16 MiB), with a sync that everything waits for: seldom,
 * and what was written often in between is carried once.
 */
const CHECKPOINT_PAGES = 4_096;
/** Pages in memory; with less, a batch spills into the journal before its commit. */
const CACHE_KIB = 32 * 1024;
/** Feed entries that one page of a read may look at. */
const FEED_PAGE = 256;

export interface StateStoreOptions {
  path: string;
  clusterId: string;
  /** `wal` on a local disk; `truncate` on a network file system, where WAL's shared memory does not work. */
  journal: "wal" | "truncate";
  feedRetainedEntriesMax?: number;
  /** Called after a batch is durable as far as SQLite's NORMAL mode goes: to wake readers and count. */
  onApplied?: (applied: AppliedBatch) => void;
  /** Called when a snapshot has taken the place of the state. */
  onInstalled?: () => void;
}
export interface AppliedBatch {
  lastApplied: number;
  lastTimestampMs: number;
  feedEntries: FeedEntry[];
  durationMs: number;
}

/** The file was written by another format or belongs to another cluster; using it would be wrong. */
export class StateFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "StateFormatError";
  }
}

interface Position {
  lastApplied: number;
  lastTimestampMs: number;
  lastFeedIndex: number;
  compactedIndex: number;
  feedCount: number;
  epoch: number;
}

export class StateStore implements StateMachine<ApplyOutcome>, StateView {
  readonly snapshotFormat = STATE_FORMAT;
  readonly #options: StateStoreOptions;
  #db: DatabaseSync;
  readonly #clusterId: string;
  readonly #feedRetainedMax: number;
  readonly #onApplied: (applied: AppliedBatch) => void;
  #sql: ReturnType<typeof prepare>;
  #at: Position;

  /** Opens or makes the file. Throws `StateFormatError`, or SQLite's error for a file that cannot be read or written. */
  constructor(options: StateStoreOptions) {
    this.#options = options;
    this.#clusterId = options.clusterId;
    this.#feedRetainedMax = options.feedRetainedEntriesMax ?? FEED_RETAINED_ENTRIES_MAX;
    this.#onApplied = options.onApplied ?? (() => undefined);
    this.#db = openDatabase(options);
    this.#sql = prepare(this.#db);
    this.#at = this.#readPosition();
  }

  lastApplied(): number {
    return this.#at.lastApplied;
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
   * Applies a batch in one transaction; later commands see what earlier ones wrote. Throws when an entry is not the next
   * one, is of an unknown format, or the disk fails: then nothing of the batch is kept and the node must stop.
   */
  apply(entries: readonly { index: number; data: Uint8Array | null }[]): (ApplyOutcome | null)[] {
    const startedMs = performance.now();
    const before = { ...this.#at };
    const feedEntries: FeedEntry[] = [];
    this.#db.exec("BEGIN IMMEDIATE");
    let outcomes: (ApplyOutcome | null)[];
    try {
      outcomes = entries.map((entry) => this.#applyOne(entry, feedEntries));
      this.#writePosition();
      this.#db.exec("COMMIT");
    } catch (error) {
      this.#at = before;
      // A failed COMMIT may have ended the transaction already.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    const { lastApplied, lastTimestampMs } = this.#at;
    const durationMs = performance.now() - startedMs;
    this.#onApplied({ lastApplied, lastTimestampMs, feedEntries, durationMs });
    return outcomes;
  }

  json(key: string): unknown {
    const row = this.#sql.getJson.get(key) as { value: string } | undefined;
    return row === undefined ? undefined : (JSON.parse(row.value) as unknown);
  }

  bytes(key: string): Uint8Array | undefined {
    return (this.#sql.getBlob.get(key) as { bytes: Uint8Array } | undefined)?.bytes;
  }

  hasKey(key: string): boolean {
    return this.#sql.hasJson.get(key) !== undefined || this.#sql.hasBlob.get(key) !== undefined;
  }

  /** Reads a page at once and not row by row: a reader that stops early leaves no open cursor behind. */
  scan(prefix: string, options: { after?: string; limit: number }): { key: string; value: unknown }[] {
    const { after } = options;
    const end = endOf(prefix);
    const rows = (
      after !== undefined && after >= prefix
        ? this.#sql.scanAfter.all(after, end, options.limit)
        : this.#sql.scanFrom.all(prefix, end, options.limit)
    ) as { key: string; value: string }[];
    return rows.map(({ key, value }) => ({ key, value: JSON.parse(value) as unknown }));
  }

  feed(): FeedSource {
    const readAfter = this.#sql.feedAfter;
    return {
      appliedIndex: this.#at.lastApplied,
      compactedIndex: this.#at.compactedIndex,
      *entriesAfter(after) {
        let cursor = after;
        for (;;) {
          const rows = readAfter.all(cursor, FEED_PAGE) as { idx: number; entry: string }[];
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
    const hash = createHash("sha256");
    const { lastApplied, lastTimestampMs, lastFeedIndex, compactedIndex } = this.#at;
    hash.update(JSON.stringify([lastApplied, lastTimestampMs, lastFeedIndex, compactedIndex]));
    for (const row of this.#sql.allJson.iterate()) hash.update(JSON.stringify([row["key"], row["value"]]));
    for (const row of this.#sql.allBlobs.iterate()) {
      const bytes = row["bytes"] as Uint8Array;
      hash.update(JSON.stringify([row["key"], bytes.byteLength])).update(bytes);
    }
    for (const row of this.#sql.allFeed.iterate()) hash.update(JSON.stringify([row["idx"], row["entry"]]));
    return hash.digest("hex");
  }

  /**
   * Makes everything applied survive a power cut. In WAL mode NORMAL leaves that to checkpoints; in TRUNCATE mode every
   * commit has done it.
   */
  makeDurable(): void {
    this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  /** Page by page beside the writes; pages that change meanwhile are copied again. */
  async copyTo(path: string): Promise<number> {
    await backup(this.#db, path, { rate: SNAPSHOT_PAGES });
    return readIndex(path, this.#clusterId);
  }

  install(path: string, index: number): void {
    const found = readIndex(path, this.#clusterId);
    if (found !== index) throw new StateFormatError(`the snapshot stands at ${found}, not at ${index}`);
    this.makeDurable();
    this.#db.close();
    // Of the old state; closing has emptied and removed them, but the new one must never meet them.
    for (const suffix of ["-wal", "-shm", "-journal"]) rmSync(this.#options.path + suffix, { force: true });
    replaceFile(path, this.#options.path);
    this.#db = openDatabase(this.#options);
    this.#sql = prepare(this.#db);
    this.#at = this.#readPosition();
    this.#options.onInstalled?.();
  }

  /** Idempotent. */
  close(): void {
    if (this.#db.isOpen) this.#db.close();
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
    const { changes, feedEntry, outcome } = applyCommand({
      state: this,
      command,
      attachments,
      index: entry.index,
      prevFeedIndex: this.#at.lastFeedIndex,
      timestampMs: this.#at.lastTimestampMs,
      clusterId: this.#clusterId,
    });
    for (const change of changes) this.#write(change);
    if (feedEntry !== null) {
      this.#appendFeed(feedEntry);
      feedEntries.push(feedEntry);
    }
    return outcome;
  }

  #write(change: StateChange): void {
    if (change.op === "put_json") this.#sql.putJson.run(change.key, JSON.stringify(change.value));
    else if (change.op === "put_bytes") this.#sql.putBlob.run(change.key, change.bytes);
    else {
      this.#sql.deleteJson.run(change.key);
      this.#sql.deleteBlob.run(change.key);
    }
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

  #readPosition(): Position {
    const number = (key: string): number => Number((this.#sql.getMeta.get(key) as { value: string }).value);
    return {
      lastApplied: number("last_applied"),
      lastTimestampMs: number("last_timestamp_ms"),
      lastFeedIndex: number("last_feed_index"),
      compactedIndex: number("compacted_index"),
      feedCount: number("feed_count"),
      epoch: number("epoch"),
    };
  }

  #writePosition(): void {
    const at = this.#at;
    const set = (key: string, value: number): unknown => this.#sql.setMeta.run(String(value), key);
    set("last_applied", at.lastApplied);
    set("last_timestamp_ms", at.lastTimestampMs);
    set("last_feed_index", at.lastFeedIndex);
    set("compacted_index", at.compactedIndex);
    set("feed_count", at.feedCount);
  }
}

function openDatabase({ path, journal, clusterId }: StateStoreOptions): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    db.exec(`PRAGMA journal_mode = ${journal}; PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA cache_size = -${CACHE_KIB};`);
    openSchema(db, clusterId);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** The index at which a copy of the state stands. Throws `StateFormatError` or SQLite's error when it is none of ours. */
function readIndex(path: string, clusterId: string): number {
  const db = new DatabaseSync(path);
  try {
    // So that the file is all there is of it.
    db.exec("PRAGMA journal_mode = DELETE");
    openSchema(db, clusterId);
    const row = db.prepare("SELECT value FROM meta WHERE key = 'last_applied'").get() as { value: string };
    return Number(row.value);
  } finally {
    db.close();
  }
}

function openSchema(db: DatabaseSync, clusterId: string): void {
  const table = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get();
  if (table === undefined) {
    db.exec(`
      BEGIN IMMEDIATE;
      CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE blob (key TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
      CREATE TABLE feed (idx INTEGER PRIMARY KEY, prev_idx INTEGER NOT NULL, entry TEXT NOT NULL) STRICT;
      INSERT INTO meta VALUES ('epoch', '1'), ('last_applied', '0'), ('last_timestamp_ms', '0'),
        ('last_feed_index', '0'), ('compacted_index', '0'), ('feed_count', '0'), ('format', '${STATE_FORMAT}');
    `);
    db.prepare("INSERT INTO meta VALUES ('cluster_id', ?)").run(clusterId);
    db.exec("COMMIT");
    return;
  }
  const read = db.prepare("SELECT value FROM meta WHERE key = ?");
  const value = (key: string): unknown => (read.get(key) as { value: string } | undefined)?.value;
  if (value("format") !== String(STATE_FORMAT)) {
    throw new StateFormatError(
      `the state has format ${String(value("format"))}, this build knows ${STATE_FORMAT}`,
    );
  }
  if (value("cluster_id") !== clusterId) {
    throw new StateFormatError(
      `the state belongs to cluster ${String(value("cluster_id"))}, not to ${clusterId}`,
    );
  }
}

function prepare(db: DatabaseSync) {
  const sql = (text: string): StatementSync => db.prepare(text);
  return {
    getMeta: sql("SELECT value FROM meta WHERE key = ?"),
    setMeta: sql("UPDATE meta SET value = ? WHERE key = ?"),
    getJson: sql("SELECT value FROM kv WHERE key = ?"),
    hasJson: sql("SELECT 1 FROM kv WHERE key = ?"),
    putJson: sql("INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"),
    deleteJson: sql("DELETE FROM kv WHERE key = ?"),
    scanFrom: sql("SELECT key, value FROM kv WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"),
    scanAfter: sql("SELECT key, value FROM kv WHERE key > ? AND key < ? ORDER BY key LIMIT ?"),
    getBlob: sql("SELECT bytes FROM blob WHERE key = ?"),
    hasBlob: sql("SELECT 1 FROM blob WHERE key = ?"),
    putBlob: sql("INSERT INTO blob VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes"),
    deleteBlob: sql("DELETE FROM blob WHERE key = ?"),
    putFeed: sql("INSERT INTO feed VALUES (?, ?, ?)"),
    feedAfter: sql("SELECT idx, entry FROM feed WHERE idx > ? ORDER BY idx LIMIT ?"),
    oldestFeed: sql("SELECT idx FROM feed ORDER BY idx LIMIT 1"),
    deleteFeed: sql("DELETE FROM feed WHERE idx = ?"),
    allJson: sql("SELECT key, value FROM kv ORDER BY key"),
    allBlobs: sql("SELECT key, bytes FROM blob ORDER BY key"),
    allFeed: sql("SELECT idx, entry FROM feed ORDER BY idx"),
  };
}

/** The first text after every text that begins with `prefix` (which ends in an ASCII character). */
function endOf(prefix: string): string {
  if (prefix === "") return "\u{10FFFF}";
  const last = prefix.charCodeAt(prefix.length - 1);
  return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}
