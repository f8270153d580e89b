import type { Actor } from "../../domain/command/command.ts";
import { auditLogs } from "../../migrations/schema.ts";
import { setTenant, type Transaction } from "./with-tenant.ts";

export const AUDIT_SUMMARY_CHARACTERS_MAX = 2000;
const ROWS_PER_STATEMENT_MAX = 200;

/**
 * One line of the audit. `position` says which log entry it stands for; null for an act that only Postgres saw. A negative
 * index is of no entry: it only tells rows about the feed itself apart.
 */
export interface AuditRow {
  tenant: string;
  actor: Actor;
  ip: string;
  action: string;
  resource: string;
  outcome: "success" | "failure" | "denied";
  traceId: string;
  summary: string;
  position: { clusterId: string; epoch: number; logIndex: number } | null;
  createdAtMs: number;
}

/**
 * Appends rows of any tenants within the caller's transaction (whose tenant is one of theirs afterwards). A row whose
 * position is there already is left out. Answers how many were new. Tenants are taken in the order of their names, so
 * that two transactions with rows in common wait for each other rather than deadlock.
 */
export async function appendAuditRows(tx: Transaction, rows: readonly AuditRow[]): Promise<number> {
  let appended = 0;
  const byTenant = [...Map.groupBy(rows, (row) => row.tenant)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [tenant, ofTenant] of byTenant) {
    await setTenant(tx, tenant);
    for (let from = 0; from < ofTenant.length; from += ROWS_PER_STATEMENT_MAX) {
      const values = ofTenant.slice(from, from + ROWS_PER_STATEMENT_MAX).map(toValues);
      const inserted = await tx
        .insert(auditLogs)
        .values(values)
        .onConflictDoNothing()
        .returning({ id: auditLogs.id });
      appended += inserted.length;
    }
  }
  return appended;
}

function toValues(row: AuditRow) {
  return {
    tenantId: row.tenant,
    actorType: row.actor.type,
    actorId: row.actor.id,
    actorName: row.actor.name,
    ip: row.ip,
    action: row.action,
    resource: row.resource,
    outcome: row.outcome,
    traceId: row.traceId,
    // Postgres text holds no NUL; nothing else of a summary is refused by it.
    summary: row.summary.replaceAll("\u0000", "\uFFFD").slice(0, AUDIT_SUMMARY_CHARACTERS_MAX),
    clusterId: row.position?.clusterId ?? null,
    epoch: row.position?.epoch ?? null,
    logIndex: row.position?.logIndex ?? null,
    createdAt: new Date(row.createdAtMs),
  };
}
