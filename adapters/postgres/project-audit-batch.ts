import { appendAuditRows, type AuditRow } from "./append-audit-rows.ts";
import type { Database } from "./connect.ts";
import { inTransaction } from "./with-tenant.ts";

const BATCH_DEADLINE_MS = 10_000;

/**
 * Appends the rows of a batch, all or none, and answers how many were new: rows that are there already are left out, so
 * a batch whose outcome was lost may simply be sent again. Rejects with `unavailable` when Postgres is away.
 */
export function projectAuditBatch(database: Database, rows: readonly AuditRow[]): Promise<number> {
  return inTransaction(database, (tx) => appendAuditRows(tx, rows), { deadlineMs: BATCH_DEADLINE_MS });
}
