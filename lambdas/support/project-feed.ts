/**
 * The projection into Postgres: pulls the core's feed from its cursor and appends a row of the audit for each entry, and one
 * of the publish history for each move of a plan in it.
 * Invariant: the cursor stands at an index up to which every entry of the epoch has its rows, because it moves only after
 * the rows are committed. A crash in between makes the next run send the same rows, which their unique key (tenant,
 * cluster, epoch, index) leaves out: exactly once in effect. It would break if a gap in the feed were stepped over in
 * silence; so entries must link (`prev_index`), and what the feed no longer holds is itself written down as a row.
 */
import type { FeedAnswer } from "../../contracts/core/core-api.ts";
import type { CorePort } from "../../contracts/core/core-port.ts";
import { FEED_WAIT_MS_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CursorStore, FeedPosition } from "../../contracts/projection/cursor-store.ts";
import type { EpochStart } from "../../domain/backup/backup-origin.ts";
import { adoptClusterEpoch } from "../../adapters/postgres/adopt-cluster-epoch.ts";
import type { AuditRow } from "../../adapters/postgres/append-audit-rows.ts";
import type { Database } from "../../adapters/postgres/connect.ts";
import { type ProjectedBatch, projectFeedBatch } from "../../adapters/postgres/project-feed-batch.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { type PublishHintCounts, type PublishHintDeps, PublishHintSender } from "./send-publish-hints.ts";
import { toProjectedBatch } from "./to-projected-batch.ts";

/**
 * The name under which the projection keeps its cursors. Under another one it begins at the start of the feed: what is to be
 * done when it comes to write rows of a new kind.
 */
const PROJECTION = "postgres";
/** Entries a batch may hold: one transaction, well within its deadline. */
export const PROJECTION_BATCH_MAX = 500;
/** Left at the end of an invocation for the batch on the way. */
const RESERVE_MS = 5_000;

export interface ProjectionDeps extends PublishHintDeps {
  core: Pick<CorePort, "feed" | "status">;
  database: Database;
  cursors: CursorStore;
  /** Milliseconds until the invocation must have ended. */
  remainingMs: () => number;
  batchMax?: number;
}
export interface ProjectionReport {
  cluster_id: string;
  position: FeedPosition | null;
  batches: number;
  /** Rows of the audit that were not there before. */
  rows: number;
  /** The same of the publish history. */
  moves: number;
  hints: PublishHintCounts;
}

/**
 * Projects until `RESERVE_MS` before the deadline, waiting for new entries by long poll. Rejects when the core, Postgres
 * or the cursor store is away or the feed does not link; the cursor then stands at a place before which every row is
 * there, and the next invocation goes on from it. Without a cursor it begins at the start of the feed. Tells publish-stage of
 * plans that may go on soon, once their entries are projected.
 */
export async function projectFeed(deps: ProjectionDeps): Promise<ProjectionReport> {
  const hints = new PublishHintSender(deps);
  try {
    const report = await follow(deps, hints);
    return { ...report, hints: await hints.finish() };
  } finally {
    await hints.finish();
  }
}

async function follow(
  deps: ProjectionDeps,
  hints: PublishHintSender,
): Promise<Omit<ProjectionReport, "hints">> {
  const { cluster_id, epoch, epochs, tokens_not_before_ms } = await deps.core.status();
  const cluster = { clusterId: cluster_id, epoch, tokensNotBeforeMs: tokens_not_before_ms };
  await adoptClusterEpoch(deps.database, cluster);
  const report = { cluster_id, batches: 0, rows: 0, moves: 0 };
  const key = { projection: PROJECTION, clusterId: cluster_id };
  let cursor = await deps.cursors.read(key);
  do {
    if (cursor !== null && cursor.epoch > epoch) {
      throw new ConfluxError("unavailable", `The core answers for epoch ${epoch}, before ${cursor.epoch}.`);
    }
    const newEpoch = cursor !== null && cursor.epoch < epoch;
    const after = resumeAfter(epochs, cursor);
    const answer = await pull(deps, after);
    if (answer !== "compacted" && (answer.cluster_id !== cluster_id || answer.epoch !== epoch)) {
      throw new ConfluxError("unavailable", "The cluster's epoch changed while its feed was read.");
    }
    const batch = answer === "compacted" ? await skipCompacted(deps, after) : toBatch(answer, epochs, after);
    if (batch === null && !newEpoch) continue;
    const to = { epoch: batch === null ? epoch : epochOf(epochs, batch.to), index: batch?.to ?? after };
    if (batch !== null) {
      const added = await projectFeedBatch(deps.database, batch);
      report.rows += added.audit;
      report.moves += added.moves;
    }
    report.batches += 1;
    const moved = await deps.cursors.advance(key, { from: cursor, to });
    // Not moved: another run is further, or the cursor was deleted to have all projected anew.
    cursor = moved ? to : await deps.cursors.read(key);
    // Of runs at once, one tells.
    if (moved && answer !== "compacted") hints.follow(answer.entries);
  } while (deps.remainingMs() > RESERVE_MS);
  return { ...report, position: cursor };
}

async function pull(deps: ProjectionDeps, after: number): Promise<FeedAnswer | "compacted"> {
  const waitMs = Math.floor(Math.max(0, Math.min(FEED_WAIT_MS_MAX, deps.remainingMs() - RESERVE_MS)));
  try {
    return await deps.core.feed({
      after,
      limit: deps.batchMax ?? PROJECTION_BATCH_MAX,
      wait_ms: waitMs,
      view: "full",
    });
  } catch (error) {
    if (error instanceof ConfluxError && error.code === "feed_compacted") return "compacted";
    throw error;
  }
}

/**
 * Where to go on. After a restore the feed still holds what the epoch before it had, in its place, then the restore, then
 * the new epoch; a projection that was ahead of where the new epoch begins (the cluster was lost and made anew) goes back
 * to there. Rows of what was rolled back stay, under their own epoch; the restore's own row says so.
 */
function resumeAfter(epochs: readonly EpochStart[], cursor: FeedPosition | null): number {
  if (cursor === null) return 0;
  const next = epochs.find(({ epoch }) => epoch > cursor.epoch);
  return next === undefined ? cursor.index : Math.max(0, Math.min(cursor.index, next.first_index - 1));
}

/** The epoch that an index of the feed is of. */
function epochOf(epochs: readonly EpochStart[], index: number): number {
  const of = epochs.findLast(({ first_index }) => first_index <= index) ?? epochs[0];
  if (of === undefined) throw new ConfluxError("internal", "The core names no epoch.");
  return of.epoch;
}

interface Batch extends ProjectedBatch {
  to: number;
}

/** The rows of an answer; null when it has no entries. Rejects entries that do not follow from `after`. */
function toBatch(answer: FeedAnswer, epochs: readonly EpochStart[], after: number): Batch | null {
  let previous = after;
  for (const [i, entry] of answer.entries.entries()) {
    // The cursor may stand on an index that made no entry (a new epoch), so the first link may reach before it.
    const links = i === 0 ? entry.prev_index <= previous : entry.prev_index === previous;
    if (!links || entry.index <= previous) {
      throw new ConfluxError(
        "internal",
        `The feed has a gap: entry ${entry.index} follows ${entry.prev_index}, not ${previous}.`,
      );
    }
    previous = entry.index;
  }
  if (previous === after) return null;
  const rows = toProjectedBatch(answer.entries, answer.cluster_id, (index) => epochOf(epochs, index));
  return { to: previous, ...rows };
}

/**
 * The feed no longer reaches back to the cursor: says so in the system's audit and goes on where it begins. Of what is gone
 * the status still has the last restore, without which rows would be shown that it rolled back. The row stands at
 * the last entry that is gone, so a repeat leaves it out; with its index negative, since that entry may be the system's own
 * and have its row, which would leave this one out.
 */
async function skipCompacted(deps: ProjectionDeps, after: number): Promise<Batch> {
  const { cluster_id, epochs, compacted_index, last_restore: last = null } = await deps.core.status();
  if (compacted_index <= after) {
    throw new ConfluxError(
      "unavailable",
      `The core calls index ${after} compacted and its feed begins before it.`,
    );
  }
  const row: AuditRow = {
    tenant: SYSTEM_TENANT,
    actor: { type: "system", id: "feed-projection", name: "feed-projection" },
    ip: "",
    action: "write",
    resource: "audit-logs",
    outcome: "failure",
    traceId: "",
    summary: `The feed no longer holds entries ${after + 1} to ${compacted_index}: those without a row were never projected.`,
    position: { clusterId: cluster_id, epoch: epochOf(epochs, compacted_index), logIndex: -compacted_index },
    createdAtMs: deps.nowMs(),
  };
  const restores =
    last === null || last.first_index > compacted_index
      ? []
      : [
          {
            clusterId: cluster_id,
            epoch: last.epoch,
            firstIndex: last.first_index,
            restoredIndex: last.restored_index,
          },
        ];
  return { to: compacted_index, audit: [row], moves: [], restores };
}
