import type { HeadEntry, HubChange, Revocation } from "../../contracts/delivery/replica-rpc.ts";
import { HEAD_DELTA_MAX } from "./limits.ts";

/** Where the head stands. `feed_index` is the last feed entry seen (at most `index`: the log has more than the feed). */
export interface HeadPosition {
  cluster_id: string;
  epoch: number;
  index: number;
  feed_index: number;
  /** A cursor below it may have missed a tombstone that is gone. */
  horizon: number;
  /** When the core last answered and the answer was applied. */
  contact_at_ms: number;
}

/** What a name is to become. `contents`: the KV keys its document needs, written before this is. */
export interface HeadChange {
  name: string;
  doc: string | null;
  version: number;
  index: number;
  contents: string[];
}

export type IndexedRevocation = Revocation & { index: number };

interface HeadRow extends Record<string, SqlStorageValue> {
  name: string;
  doc: string | null;
  idx: number;
  version: number;
}

/**
 * The head of a region. Invariant: `position.index` names a state of the log all of whose documents are in `head`, and
 * every key in `head_content` is in KV. It would break if a row moved outside `apply`'s transaction.
 */
export class HeadStore {
  readonly #sql: SqlStorage;
  /** What the table holds; undefined when it must be looked at again. */
  #position: HeadPosition | null | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Null until the first snapshot has been taken over. */
  position(): HeadPosition | null {
    this.#position ??= this.#readPosition();
    return this.#position;
  }

  #readPosition(): HeadPosition | null {
    const row = this.#sql
      .exec<{
        cluster_id: string;
        epoch: number;
        idx: number;
        feed_idx: number;
        horizon: number;
        contact_at: number;
      }>("SELECT cluster_id, epoch, idx, feed_idx, horizon, contact_at FROM position")
      .toArray()[0];
    if (row === undefined) return null;
    const { idx, feed_idx, contact_at, ...rest } = row;
    return { ...rest, index: idx, feed_index: feed_idx, contact_at_ms: contact_at };
  }

  setPosition(position: HeadPosition): void {
    this.#position = undefined;
    this.#sql.exec(
      `INSERT OR REPLACE INTO position (id, cluster_id, epoch, idx, feed_idx, horizon, contact_at)
       VALUES (1, ?, ?, ?, ?, ?, ?)`,
      position.cluster_id,
      position.epoch,
      position.index,
      position.feed_index,
      position.horizon,
      position.contact_at_ms,
    );
  }

  /** Notes when the core was last heard, for the object's next life. */
  contacted(atMs: number): void {
    this.#position = undefined;
    this.#sql.exec("UPDATE position SET contact_at = ?", atMs);
  }

  entry(name: string): HeadEntry {
    const row = this.#sql
      .exec<HeadRow>("SELECT name, doc, idx, version FROM head WHERE name = ?", name)
      .toArray()[0];
    return row === undefined ? { name, doc: null, index: 0, version: 0 } : toEntry(row);
  }

  /** Entries after `since` in order of index; null when there are more than HEAD_DELTA_MAX. */
  changedAfter(since: number): HeadEntry[] | null {
    const rows = this.#sql
      .exec<HeadRow>(
        "SELECT name, doc, idx, version FROM head WHERE idx > ? ORDER BY idx, name LIMIT ?",
        since,
        HEAD_DELTA_MAX + 1,
      )
      .toArray();
    return rows.length > HEAD_DELTA_MAX ? null : rows.map(toEntry);
  }

  /** Entries of a namespace that have a document, by name, after `cursor`. */
  namespace(namespace: string, cursor: string | null, limit: number): HeadEntry[] {
    const prefix = `${namespace}/`;
    return this.#sql
      .exec<HeadRow>(
        `SELECT name, doc, idx, version FROM head
         WHERE name > ? AND name < ? AND doc IS NOT NULL ORDER BY name LIMIT ?`,
        cursor === null ? prefix : `${prefix}${cursor}`,
        `${namespace}0`, // "0" follows "/"
        limit,
      )
      .toArray()
      .map(toEntry);
  }

  /** Revocations learned after `since` that have not expired. */
  revocationsAfter(since: number, nowMs: number): Revocation[] {
    return this.#sql
      .exec<{ jti: string; expires_at: number }>(
        "SELECT jti, expires_at FROM revocation WHERE idx > ? AND expires_at > ? ORDER BY idx",
        since,
        nowMs,
      )
      .toArray()
      .map(({ jti, expires_at }) => ({ jti, expires_at_ms: expires_at }));
  }

  revoke({ jti, expires_at_ms, index }: IndexedRevocation): void {
    this.#sql.exec(
      `INSERT INTO revocation (jti, expires_at, idx) VALUES (?1, ?2, ?3)
       ON CONFLICT (jti) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at), idx = excluded.idx`,
      jti,
      expires_at_ms,
      index,
    );
  }

  /** Tokens issued before are refused; 0 when none are. */
  tokensNotBeforeMs(): number {
    const row = this.#sql.exec<{ not_before: number }>("SELECT not_before FROM token_floor").toArray()[0];
    return row?.not_before ?? 0;
  }

  /** Calls in the tokens issued before `atMs`. Never lowered: a token that was refused once stays refused. */
  callInTokens(atMs: number): void {
    if (atMs === 0) return;
    this.#sql.exec(
      `INSERT INTO token_floor (id, not_before) VALUES (1, ?)
       ON CONFLICT (id) DO UPDATE SET not_before = max(not_before, excluded.not_before)`,
      atMs,
    );
  }

  /**
   * Moves one name; call it inside the transaction that also moves the position. Returns what watchers are told, or
   * null when the name already had this document: nothing changed for the region, so nothing is said.
   */
  move(change: HeadChange, nowMs: number): HubChange | null {
    const before = this.entry(change.name);
    if (before.doc === change.doc) return null;
    const version = change.doc === null ? before.version : change.version;
    this.#sql.exec(
      "INSERT OR REPLACE INTO head (name, doc, idx, version, changed_at) VALUES (?, ?, ?, ?, ?)",
      change.name,
      change.doc,
      change.index,
      version,
      nowMs,
    );
    this.#nameContents(change, nowMs);
    return { config: change.name, version, index: change.index, deleted: change.doc === null };
  }

  #nameContents({ name, contents }: HeadChange, nowMs: number): void {
    const sql = this.#sql;
    const before = sql.exec<{ key: string }>("SELECT key FROM head_content WHERE name = ?", name).toArray();
    sql.exec("DELETE FROM head_content WHERE name = ?", name);
    for (const key of contents) {
      sql.exec("INSERT INTO head_content (name, key) VALUES (?, ?)", name, key);
      sql.exec("UPDATE content SET released_at = NULL WHERE key = ?", key);
    }
    for (const { key } of before) {
      sql.exec(
        `UPDATE content SET released_at = ?1
         WHERE key = ?2 AND NOT EXISTS (SELECT 1 FROM head_content WHERE key = ?2)`,
        nowMs,
        key,
      );
    }
  }

  /** Forgets tombstones made before `beforeMs` and expired revocations, and records how far back cursors still reach. */
  prune(beforeMs: number, nowMs: number, limit: number): void {
    const gone = this.#sql
      .exec<{ name: string; idx: number }>(
        "SELECT name, idx FROM head WHERE doc IS NULL AND changed_at < ? LIMIT ?",
        beforeMs,
        limit,
      )
      .toArray();
    this.#position = undefined;
    for (const { name, idx } of gone) {
      this.#sql.exec("DELETE FROM head WHERE name = ?", name);
      this.#sql.exec("UPDATE position SET horizon = max(horizon, ?)", idx);
    }
    this.#sql.exec(
      "DELETE FROM revocation WHERE jti IN (SELECT jti FROM revocation WHERE expires_at < ? LIMIT ?)",
      nowMs,
      limit,
    );
  }
}

function toEntry({ name, doc, idx, version }: HeadRow): HeadEntry {
  return { name, doc, index: idx, version };
}
