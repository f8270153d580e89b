import { DatabaseSync, type StatementSync } from "node:sqlite";
import { STAGED_TABLES } from "./staged-rows.ts";

export interface StateFile {
  path: string;
  clusterId: string;
  /** `wal` on a local disk; `truncate` on a network file system, where WAL's shared memory does not work. */
  journal: "wal" | "truncate";
}

/** Formats of a state's file, and so of snapshots: the first release's, and that of a state whose index is ahead of the log's. */
export const STATE_FORMAT = 1;
export const STATE_FORMAT_MOVED = 2;
export const STATE_FORMATS: readonly number[] = [STATE_FORMAT, STATE_FORMAT_MOVED];
/**
 * SQLite carries its journal into the file after this many pages (16 MiB), with a sync that everything waits for: seldom,
 * and what was written often in between is carried once.
 */
export const CHECKPOINT_PAGES = 4_096;
/** Pages in memory; with less, a batch spills into the journal before its commit. */
const CACHE_KIB = 32 * 1024;

/** The file was written by another format or belongs to another cluster; using it would be wrong. */
export class StateFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "StateFormatError";
  }
}

/** Opens or makes the file. Throws `StateFormatError`, or SQLite's error for a file that cannot be read or written. */
export function openDatabase({ path, journal, clusterId }: StateFile): DatabaseSync {
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

/** The index at which a copy of the state stands, and its format. Throws `StateFormatError` or SQLite's error when it is none of ours. */
export function readCopy(path: string, clusterId: string): { index: number; format: number } {
  const db = new DatabaseSync(path);
  try {
    // So that the file is all there is of it.
    db.exec("PRAGMA journal_mode = DELETE");
    openSchema(db, clusterId);
    const read = db.prepare("SELECT value FROM meta WHERE key = ?");
    const number = (key: string): number => Number((read.get(key) as { value: string }).value);
    return { index: number("last_applied"), format: number("format") };
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
    openStaged(db);
    return;
  }
  const read = db.prepare("SELECT value FROM meta WHERE key = ?");
  const value = (key: string): unknown => (read.get(key) as { value: string } | undefined)?.value;
  const format = value("format");
  if (!STATE_FORMATS.map(String).includes(String(format))) {
    throw new StateFormatError(
      `the state has format ${String(format)}, this build knows ${STATE_FORMATS.join(" and ")}`,
    );
  }
  if (value("cluster_id") !== clusterId) {
    throw new StateFormatError(
      `the state belongs to cluster ${String(value("cluster_id"))}, not to ${clusterId}`,
    );
  }
  openStaged(db);
}

/** What came with restores: missing in files that older builds made. */
function openStaged(db: DatabaseSync): void {
  const hasBase = db.prepare("SELECT 1 FROM meta WHERE key = 'index_base'").get() !== undefined;
  if (hasBase) return;
  db.exec(`
    BEGIN IMMEDIATE;
    INSERT INTO meta VALUES ('index_base', '0');
    CREATE TABLE staged_chunk (position INTEGER PRIMARY KEY, sha256 TEXT NOT NULL) STRICT;
    ${STAGED_TABLES}
    COMMIT;
  `);
}

/** Every statement of the store. */
export function prepare(db: DatabaseSync) {
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
    countBetween: sql("SELECT count(*) AS count FROM kv WHERE key >= ? AND key < ?"),
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
    allStaged: sql("SELECT position, sha256 FROM staged_chunk ORDER BY position"),
    allFeed: sql("SELECT idx, entry FROM feed ORDER BY idx"),
  };
}
