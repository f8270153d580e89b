import type { HubChange, Revocation, WatchHubRpc } from "../../contracts/delivery/replica-rpc.ts";
import { HUB_CHANGES_MAX, HUB_REGISTRATION_TTL_MS, OUTBOX_BATCHES_MAX } from "./limits.ts";

export type HubBatch = Parameters<WatchHubRpc["publish"]>[0];

/** What a hub is to be told next, and the row up to which it will then have been told. */
export interface DueBatch {
  batch: HubBatch;
  upTo: number;
}

/**
 * Batches that hubs have not taken yet. A batch is written in the transaction that moves the head and leaves when every
 * hub has taken it, so a change is told at least once however often the replica or a hub restarts.
 */
export class HubOutbox {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Registers `hub`, or renews it. A new one is told what comes after this moment. */
  register(hub: string, nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO hub (name, acked, registered_at) VALUES (?1, ?2, ?3)
       ON CONFLICT (name) DO UPDATE SET registered_at = excluded.registered_at`,
      hub,
      this.#lastSeq(),
      nowMs,
    );
  }

  /** Hubs that have not taken every batch. */
  behind(): string[] {
    return this.#sql
      .exec<{ name: string }>("SELECT name FROM hub WHERE acked < ?", this.#lastSeq())
      .toArray()
      .map((row) => row.name);
  }

  /** Queues a batch; call it inside the head's transaction. Says nothing when nobody listens or there is no news. */
  add(batch: HubBatch): void {
    if (batch.changes.length === 0 && batch.revocations.length === 0 && !batch.resync) return;
    if (this.#sql.exec("SELECT 1 FROM hub LIMIT 1").toArray().length === 0) return;
    this.#sql.exec("INSERT INTO outbox (batch) VALUES (?)", JSON.stringify(batch));
  }

  /** What `hub` has not taken, as one batch with the newest change of each config; null when it has everything. */
  due(hub: string): DueBatch | null {
    const acked = this.#sql
      .exec<{ acked: number }>("SELECT acked FROM hub WHERE name = ?", hub)
      .toArray()[0]?.acked;
    if (acked === undefined) return null;
    const rows: { seq: number; batch: HubBatch }[] = [];
    let changes = 0;
    for (const row of this.#sql.exec<{ seq: number; batch: string }>(
      "SELECT seq, batch FROM outbox WHERE seq > ? ORDER BY seq",
      acked,
    )) {
      const batch = JSON.parse(row.batch) as HubBatch;
      changes += batch.changes.length;
      if (rows.length > 0 && changes > HUB_CHANGES_MAX) break;
      rows.push({ seq: row.seq, batch });
    }
    const last = rows.at(-1);
    if (last === undefined) return null;
    const lost = rows[0]?.seq !== acked + 1;
    return {
      batch: merge(
        rows.map(({ batch }) => batch),
        lost,
      ),
      upTo: last.seq,
    };
  }

  acknowledge(hub: string, upTo: number): void {
    this.#sql.exec("UPDATE hub SET acked = max(acked, ?) WHERE name = ?", upTo, hub);
  }

  /** Forgets batches that all have taken or that are too many, and hubs that no longer register. */
  prune(nowMs: number): void {
    this.#sql.exec("DELETE FROM hub WHERE registered_at < ?", nowMs - HUB_REGISTRATION_TTL_MS);
    this.#sql.exec(
      "DELETE FROM outbox WHERE seq <= (SELECT coalesce(min(acked), ?1) FROM hub) OR seq <= ?1 - ?2",
      this.#lastSeq(),
      OUTBOX_BATCHES_MAX,
    );
  }

  /** Stays when the rows themselves are gone: AUTOINCREMENT remembers it. */
  #lastSeq(): number {
    const row = this.#sql
      .exec<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")
      .toArray()[0];
    return row?.seq ?? 0;
  }
}

/** One batch for several: positions of the last, the newest change of each config, all revocations. */
function merge(batches: HubBatch[], lost: boolean): HubBatch {
  const last = batches.at(-1);
  if (last === undefined) throw new RangeError("nothing to merge");
  const changes = new Map<string, HubChange>();
  const revocations = new Map<string, Revocation>();
  for (const batch of batches) {
    for (const change of batch.changes) {
      changes.delete(change.config);
      changes.set(change.config, change);
    }
    for (const revocation of batch.revocations) revocations.set(revocation.jti, revocation);
  }
  const resync = lost || batches.some((batch) => batch.resync);
  return {
    ...last,
    changes: resync ? [] : [...changes.values()],
    revocations: [...revocations.values()],
    resync,
  };
}
