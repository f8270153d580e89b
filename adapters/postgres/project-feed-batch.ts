import type { KnownRestore } from "../../domain/backup/lineage.ts";
import { appendAuditRows, type AuditRow } from "./append-audit-rows.ts";
import { appendClusterRestores } from "./append-cluster-restores.ts";
import { appendPublishHistory, type PublishMove } from "./append-publish-history.ts";
import type { Database } from "./connect.ts";
import { inTransaction } from "./with-tenant.ts";

const BATCH_DEADLINE_MS = 10_000;

/** What entries of the feed become in Postgres. */
export interface ProjectedBatch {
  audit: readonly AuditRow[];
  moves: readonly PublishMove[];
  restores: readonly (KnownRestore & { clusterId: string })[];
}

/**
 * Appends the rows of a batch, all or none, and answers how many were new: rows that are there already are left out, so
 * a batch whose outcome was lost may simply be sent again. Rejects with `unavailable` when Postgres is away.
 */
export function projectFeedBatch(
  database: Database,
  { audit, moves, restores }: ProjectedBatch,
): Promise<{ audit: number; moves: number }> {
  return inTransaction(
    database,
    async (tx) => {
      await appendClusterRestores(tx, restores);
      const appended = await appendPublishHistory(tx, moves);
      // Last, since it locks chains to the end of the transaction.
      return { audit: await appendAuditRows(tx, audit), moves: appended };
    },
    { deadlineMs: BATCH_DEADLINE_MS },
  );
}
