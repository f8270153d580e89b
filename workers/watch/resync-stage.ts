import type { Position } from "../../contracts/core/core-api.ts";
import type { HubChange, Revocation } from "../../contracts/delivery/replica-rpc.ts";
import type { HeadChange, HeadStore } from "./head-store.ts";
import { HUB_CHANGES_MAX } from "./limits.ts";
import type { HubOutbox } from "./hub-outbox.ts";

/** How far the taking-over of a snapshot has come. */
export interface ResyncState {
  cluster_id: string;
  epoch: number;
  /** Of the next page; null before the first and after the last. */
  cursor: string | null;
  pages_done: boolean;
  /** The last feed entry that the staged rows reflect. */
  feed_index: number;
  /** The head may go live when the staged rows reflect this index: until then pages of different ages stand side by side. */
  target_index: number;
}

/**
 * A snapshot on its way to become the head. Invariant: nobody reads staged rows, and `goLive` replaces the head by them
 * in one transaction, so that a resync that dies half-way leaves the old head as it was. Progress is kept a page at a
 * time: an object that restarts goes on where it was.
 */
export class ResyncStage {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Null when no resync is under way. */
  state(): ResyncState | null {
    const row = this.#storage.sql
      .exec<{
        cluster_id: string;
        epoch: number;
        cursor: string | null;
        pages_done: number;
        feed_idx: number;
        target_idx: number;
      }>("SELECT cluster_id, epoch, cursor, pages_done, feed_idx, target_idx FROM resync")
      .toArray()[0];
    if (row === undefined) return null;
    const { pages_done, feed_idx, target_idx, ...rest } = row;
    return { ...rest, pages_done: pages_done === 1, feed_index: feed_idx, target_index: target_idx };
  }

  /** Starts from nothing, whatever had been staged. */
  begin(): void {
    this.#storage.transactionSync(() => {
      this.#clear();
      this.#set({
        cluster_id: "",
        epoch: 0,
        cursor: null,
        pages_done: false,
        feed_index: 0,
        target_index: 0,
      });
    });
  }

  /** Gives up; the head stays what it is. */
  abandon(): void {
    this.#storage.transactionSync(() => {
      this.#clear();
    });
  }

  /** Stages rows that are newer than those already there, and notes the progress that they make. */
  add(rows: readonly HeadChange[], revocations: readonly Revocation[], next: ResyncState): void {
    this.#storage.transactionSync(() => {
      for (const row of rows) this.#stage(row);
      for (const { jti, expires_at_ms } of revocations) {
        this.#storage.sql.exec(
          "INSERT OR REPLACE INTO stage_revocation (jti, expires_at) VALUES (?, ?)",
          jti,
          expires_at_ms,
        );
      }
      this.#set(next);
    });
  }

  #stage({ name, doc, version, index, contents }: HeadChange): void {
    const { sql } = this.#storage;
    const staged = sql
      .exec<{ revision: number }>("SELECT revision FROM stage_head WHERE name = ?", name)
      .toArray()[0];
    if (staged !== undefined && staged.revision >= index) return;
    sql.exec("DELETE FROM stage_head WHERE name = ?", name);
    sql.exec("DELETE FROM stage_content WHERE name = ?", name);
    if (doc === null) return;
    sql.exec(
      "INSERT INTO stage_head (name, doc, version, revision) VALUES (?, ?, ?, ?)",
      name,
      doc,
      version,
      index,
    );
    for (const key of contents) sql.exec("INSERT INTO stage_content (name, key) VALUES (?, ?)", name, key);
  }

  /**
   * Makes the staged rows the head at `to`, in one transaction. On the same line of history (cluster and epoch) watchers
   * are told what differs; on another one, or when too much does, they are told to start over.
   */
  goLive(to: Position & { feed_index: number }, head: HeadStore, outbox: HubOutbox, nowMs: number): void {
    this.#storage.transactionSync(() => {
      const before = head.position();
      const sameLine = before?.cluster_id === to.cluster_id && before.epoch === to.epoch;
      const differences = sameLine ? this.#differences(to.index) : null;
      const revocations = this.#revoke(to.index);
      if (sameLine) this.#mergeHead(to.index, nowMs);
      else this.#replaceHead(to.index, nowMs);
      this.#replaceContents(nowMs);
      const horizon = sameLine ? before.horizon : to.index;
      head.setPosition({ ...to, horizon, contact_at_ms: nowMs });
      outbox.add({
        cluster_id: to.cluster_id,
        epoch: to.epoch,
        index: to.index,
        changes: differences ?? [],
        revocations,
        tokens_not_before_ms: head.tokensNotBeforeMs(),
        resync: differences === null,
      });
      this.#clear();
    });
  }

  /** What watchers must hear of; null when it is more than a hub takes. */
  #differences(index: number): HubChange[] | null {
    const { sql } = this.#storage;
    const rows = sql
      .exec<{ name: string; version: number; deleted: number }>(
        `SELECT s.name, s.version, 0 AS deleted FROM stage_head s LEFT JOIN head h ON h.name = s.name
         WHERE h.doc IS NOT s.doc
         UNION ALL
         SELECT h.name, h.version, 1 FROM head h
         WHERE h.doc IS NOT NULL AND h.name NOT IN (SELECT name FROM stage_head)
         LIMIT ?`,
        HUB_CHANGES_MAX + 1,
      )
      .toArray();
    if (rows.length > HUB_CHANGES_MAX) return null;
    return rows.map(({ name, version, deleted }) => ({
      config: name,
      version,
      index,
      deleted: deleted === 1,
    }));
  }

  /** Takes the staged revocations over and returns the new ones. A revocation once known stays until it expires. */
  #revoke(index: number): Revocation[] {
    const { sql } = this.#storage;
    const fresh = sql
      .exec<{ jti: string; expires_at: number }>(
        "SELECT jti, expires_at FROM stage_revocation WHERE jti NOT IN (SELECT jti FROM revocation)",
      )
      .toArray();
    sql.exec(
      `INSERT INTO revocation (jti, expires_at, idx) SELECT jti, expires_at, ? FROM stage_revocation WHERE true
       ON CONFLICT (jti) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`,
      index,
    );
    return fresh.map(({ jti, expires_at }) => ({ jti, expires_at_ms: expires_at }));
  }

  #mergeHead(index: number, nowMs: number): void {
    const { sql } = this.#storage;
    sql.exec(
      `INSERT OR REPLACE INTO head (name, doc, idx, version, changed_at)
       SELECT s.name, s.doc, ?, s.version, ? FROM stage_head s LEFT JOIN head h ON h.name = s.name
       WHERE h.doc IS NOT s.doc`,
      index,
      nowMs,
    );
    sql.exec(
      `UPDATE head SET doc = NULL, idx = ?, changed_at = ?
       WHERE doc IS NOT NULL AND name NOT IN (SELECT name FROM stage_head)`,
      index,
      nowMs,
    );
  }

  #replaceHead(index: number, nowMs: number): void {
    const { sql } = this.#storage;
    sql.exec("DELETE FROM head");
    sql.exec(
      `INSERT INTO head (name, doc, idx, version, changed_at)
       SELECT name, doc, min(revision, ?), version, ? FROM stage_head`,
      index,
      nowMs,
    );
    // Revocations of the other line count from its last index for nobody: everyone there starts over.
    sql.exec("UPDATE revocation SET idx = ?", index);
  }

  #replaceContents(nowMs: number): void {
    const { sql } = this.#storage;
    sql.exec("DELETE FROM head_content");
    sql.exec("INSERT INTO head_content (name, key) SELECT name, key FROM stage_content");
    sql.exec(
      `UPDATE content SET released_at = NULL
       WHERE released_at IS NOT NULL AND key IN (SELECT key FROM head_content)`,
    );
    sql.exec(
      `UPDATE content SET released_at = ?
       WHERE released_at IS NULL AND key NOT IN (SELECT key FROM head_content)`,
      nowMs,
    );
  }

  #set(state: ResyncState): void {
    this.#storage.sql.exec(
      `INSERT OR REPLACE INTO resync (id, cluster_id, epoch, cursor, pages_done, feed_idx, target_idx)
       VALUES (1, ?, ?, ?, ?, ?, ?)`,
      state.cluster_id,
      state.epoch,
      state.cursor,
      state.pages_done ? 1 : 0,
      state.feed_index,
      state.target_index,
    );
  }

  #clear(): void {
    for (const table of ["resync", "stage_head", "stage_content", "stage_revocation"]) {
      this.#storage.sql.exec(`DELETE FROM ${table}`);
    }
  }
}
