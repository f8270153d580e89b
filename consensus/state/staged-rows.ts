/**
 * Rows of a restore that is under way, in tables of their own beside those of the state. Putting them in the state's place
 * is a change of names: it takes as long for a large state as for a small one, but for the old tables' pages being freed.
 * All of it happens inside the transaction of the command that asks for it.
 */
import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { decodeStateRows } from "../../domain/backup/restore-rows.ts";
import { isKeptRow, KEPT_PREFIXES } from "../../domain/command/state-view.ts";

export const STAGED_TABLES = `
  CREATE TABLE staged_kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE staged_blob (key TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;`;

/** Prefixes end in a slash, and "0" follows it. */
const KEPT_ROWS = KEPT_PREFIXES.map(
  (prefix) => `(key >= '${prefix}' AND key < '${prefix.slice(0, -1)}0')`,
).join(" OR ");

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Adds the rows of a chunk. Throws a `RangeError` for bytes that are none. */
export function stageRows(db: DatabaseSync, chunk: Uint8Array): void {
  const json = db.prepare("INSERT OR REPLACE INTO staged_kv VALUES (?, ?)");
  const bytes = db.prepare("INSERT OR REPLACE INTO staged_blob VALUES (?, ?)");
  for (const row of decodeStateRows(chunk)) {
    const key = utf8.decode(row.key);
    // No backup of ours has any; in another's they would name nodes that this cluster has not.
    if (isKeptRow(key)) continue;
    if (row.kind === "json") json.run(key, utf8.decode(row.value));
    else bytes.run(key, row.value);
  }
  // For the state's hash: what is staged is known by its chunks.
  db.prepare("INSERT INTO staged_chunk (sha256) VALUES (?)").run(
    createHash("sha256").update(chunk).digest("hex"),
  );
}

export function dropStaged(db: DatabaseSync): void {
  db.exec(`DROP TABLE staged_kv; DROP TABLE staged_blob; ${STAGED_TABLES} DELETE FROM staged_chunk;`);
}

/** Rows that restores keep stay; every other one goes. */
export function adoptStaged(db: DatabaseSync): void {
  db.exec(`
    INSERT OR REPLACE INTO staged_kv
      SELECT key, value FROM kv WHERE ${KEPT_ROWS};
    DROP TABLE kv; ALTER TABLE staged_kv RENAME TO kv;
    DROP TABLE blob; ALTER TABLE staged_blob RENAME TO blob;
    ${STAGED_TABLES} DELETE FROM staged_chunk;`);
}
