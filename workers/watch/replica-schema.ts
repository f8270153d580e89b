/**
 * Tables of a region's replica. Times are milliseconds since 1970; `idx` is an index of the log.
 *
 * position      one row: where the head stands, and the last feed entry seen
 * head          name -> document; doc NULL is a tombstone
 * head_content  which KV keys (document, large variants) a head row needs; what is in here is live
 * content       bytes by KV key, in rows of `chunk`; released_at is when the last head row let go of it (NULL: live)
 * token_floor   one row once tokens have been called in: those issued before are refused
 * outbox        batches that some hub has not taken; hub: how far each has come
 * resync        one row while a snapshot is being taken over; stage_*: what it has brought so far
 */
const TABLES = [
  `CREATE TABLE IF NOT EXISTS position (
    id INTEGER PRIMARY KEY CHECK (id = 1), cluster_id TEXT NOT NULL, epoch INTEGER NOT NULL, idx INTEGER NOT NULL,
    feed_idx INTEGER NOT NULL, horizon INTEGER NOT NULL, contact_at INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS head (
    name TEXT PRIMARY KEY, doc TEXT, idx INTEGER NOT NULL, version INTEGER NOT NULL, changed_at INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS head_by_idx ON head (idx)`,
  `CREATE INDEX IF NOT EXISTS head_tombstones ON head (changed_at) WHERE doc IS NULL`,
  `CREATE TABLE IF NOT EXISTS head_content (name TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (name, key)) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS head_content_by_key ON head_content (key)`,
  `CREATE TABLE IF NOT EXISTS content (
    key TEXT PRIMARY KEY, size INTEGER NOT NULL, written_at INTEGER NOT NULL, released_at INTEGER) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS content_released ON content (released_at) WHERE released_at IS NOT NULL`,
  `CREATE INDEX IF NOT EXISTS content_written ON content (written_at) WHERE released_at IS NULL`,
  `CREATE TABLE IF NOT EXISTS chunk (
    key TEXT NOT NULL, seq INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (key, seq))`,
  `CREATE TABLE IF NOT EXISTS revocation (
    jti TEXT PRIMARY KEY, expires_at INTEGER NOT NULL, idx INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS revocation_by_idx ON revocation (idx)`,
  `CREATE INDEX IF NOT EXISTS revocation_by_expiry ON revocation (expires_at)`,
  `CREATE TABLE IF NOT EXISTS token_floor (id INTEGER PRIMARY KEY CHECK (id = 1), not_before INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, batch TEXT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS hub (
    name TEXT PRIMARY KEY, acked INTEGER NOT NULL, registered_at INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS resync (
    id INTEGER PRIMARY KEY CHECK (id = 1), cluster_id TEXT NOT NULL, epoch INTEGER NOT NULL, cursor TEXT,
    pages_done INTEGER NOT NULL, feed_idx INTEGER NOT NULL, target_idx INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS stage_head (
    name TEXT PRIMARY KEY, doc TEXT, version INTEGER NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS stage_content (name TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (name, key)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS stage_revocation (jti TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID`,
] as const;

/** Makes the tables that are missing; called in the object's constructor. */
export function createTables(sql: SqlStorage): void {
  for (const table of TABLES) sql.exec(table);
}
