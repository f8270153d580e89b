import { and, eq } from "drizzle-orm";
import { feedCursors } from "../../migrations/schema.ts";
import { appendAuditRows, type AuditRow } from "./append-audit-rows.ts";
import type { Database } from "./connect.ts";
import { inTransaction, type Transaction } from "./with-tenant.ts";

/** The name under which the audit projection keeps its cursors. */
const AUDIT_PROJECTION = "audit";
const BATCH_DEADLINE_MS = 10_000;

/** How far a projection has come in one epoch of a cluster's feed. */
export interface FeedPosition {
  epoch: number;
  index: number;
}

/** The audit projection's position in a cluster's feed; null before its first batch. */
export function readAuditCursor(database: Database, clusterId: string): Promise<FeedPosition | null> {
  return inTransaction(database, (tx) => selectCursor(tx, clusterId, false));
}

/**
 * Appends the rows of a batch and moves the cursor from `from` to `to`, both or neither. Answers false, having changed
 * nothing, when the cursor is not at `from` (another projector was faster: read it again). Rows that are there already are
 * left out, so a batch whose outcome was lost may simply be sent again.
 */
export function projectAuditBatch(
  database: Database,
  batch: { clusterId: string; from: FeedPosition | null; to: FeedPosition; rows: readonly AuditRow[] },
): Promise<boolean> {
  return inTransaction(
    database,
    async (tx) => {
      const next = { epoch: batch.to.epoch, logIndex: batch.to.index, updatedAt: new Date() };
      const key = { projection: AUDIT_PROJECTION, clusterId: batch.clusterId };
      if (batch.from === null) {
        const inserted = await tx
          .insert(feedCursors)
          .values({ ...key, ...next })
          .onConflictDoNothing()
          .returning({ epoch: feedCursors.epoch });
        if (inserted.length === 0) return false;
      } else {
        const now = await selectCursor(tx, batch.clusterId, true);
        if (now?.epoch !== batch.from.epoch || now.index !== batch.from.index) return false;
        await tx.update(feedCursors).set(next).where(ofCluster(batch.clusterId));
      }
      await appendAuditRows(tx, batch.rows);
      return true;
    },
    { deadlineMs: BATCH_DEADLINE_MS },
  );
}

const ofCluster = (clusterId: string) =>
  and(eq(feedCursors.projection, AUDIT_PROJECTION), eq(feedCursors.clusterId, clusterId));

async function selectCursor(tx: Transaction, clusterId: string, lock: boolean): Promise<FeedPosition | null> {
  const query = tx
    .select({ epoch: feedCursors.epoch, index: feedCursors.logIndex })
    .from(feedCursors)
    .where(ofCluster(clusterId));
  const [row] = await (lock ? query.for("update") : query);
  return row ?? null;
}
