import { sql } from "drizzle-orm";
import type { Actor } from "../../domain/command/command.ts";
import { storableText } from "./storable-text.ts";
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
 * Appends rows of any tenants within the caller's transaction (whose tenant is one of theirs afterwards), each at the end
 * of its tenant's chain, in the order given. A row whose position is there already is left out. Answers how many were new.
 * The chains are locked until the transaction ends: call it last, and once. Tenants are taken in the order of their names,
 * so that two transactions with tenants in common wait for each other rather than deadlock.
 */
export async function appendAuditRows(tx: Transaction, rows: readonly AuditRow[]): Promise<number> {
  let appended = 0;
  const byTenant = [...Map.groupBy(rows, (row) => row.tenant)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [tenant, ofTenant] of byTenant) {
    await setTenant(tx, tenant);
    for (let from = 0; from < ofTenant.length; from += ROWS_PER_STATEMENT_MAX) {
      const values = ofTenant.slice(from, from + ROWS_PER_STATEMENT_MAX).map(toValues);
      const inserted = await tx.execute(sql`
        insert into audit_logs (tenant_id, actor_type, actor_id, actor_name, ip, action, resource, outcome, trace_id,
          summary, cluster_id, epoch, log_index, created_at)
        select ${tenant}, r.actor_type, r.actor_id, r.actor_name, r.ip, r.action, r.resource, r.outcome, r.trace_id,
          r.summary, r.cluster_id, r.epoch, r.log_index, r.created_at
        from jsonb_to_recordset(${JSON.stringify(values)}::text::jsonb) as r (n int, actor_type text, actor_id text,
          actor_name text, ip text, action text, resource text, outcome text, trace_id text, summary text,
          cluster_id text, epoch int, log_index bigint, created_at timestamptz)
        order by r.n
        returning 1`);
      appended += inserted.length;
    }
  }
  return appended;
}

function toValues(row: AuditRow, n: number) {
  return {
    n,
    actor_type: row.actor.type,
    actor_id: storableText(row.actor.id),
    actor_name: storableText(row.actor.name),
    ip: storableText(row.ip),
    action: storableText(row.action),
    resource: storableText(row.resource),
    outcome: row.outcome,
    trace_id: storableText(row.traceId),
    summary: storableText(row.summary, AUDIT_SUMMARY_CHARACTERS_MAX),
    cluster_id: row.position?.clusterId ?? null,
    epoch: row.position?.epoch ?? null,
    log_index: row.position?.logIndex ?? null,
    created_at: new Date(row.createdAtMs).toISOString(),
  };
}
