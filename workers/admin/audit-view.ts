import type { AuditFilters, AuditLogRow } from "../../adapters/postgres/search-audit-logs.ts";
import { type AuditLogView, auditLogView } from "../../contracts/access/audit-api.ts";

/** A row as the API shows it. */
export function viewAuditLog(row: AuditLogRow): AuditLogView {
  const { clusterId, epoch, logIndex } = row;
  const inLog = clusterId !== null && epoch !== null && logIndex !== null && logIndex > 0;
  return auditLogView.parse({
    id: String(row.id),
    tenant: row.tenantId,
    actor: { type: row.actorType, id: row.actorId, name: row.actorName },
    ip: row.ip,
    action: row.action,
    resource: row.resource,
    outcome: row.outcome,
    trace_id: row.traceId,
    summary: row.summary,
    position: inLog ? { cluster_id: clusterId, epoch, index: logIndex } : null,
    created_at: row.createdAt.toISOString(),
    seq: row.seq,
    prev_hash: row.prevHash,
    hash: row.hash,
  });
}

/** The filters of a request as the search takes them. */
export function auditFilters(query: {
  user?: string | undefined;
  action?: string | undefined;
  resource?: string | undefined;
  outcome?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}): AuditFilters {
  const { user, action, resource, outcome, from, to } = query;
  return {
    user,
    action,
    resource,
    outcome,
    fromMs: from === undefined ? undefined : Date.parse(from),
    toMs: to === undefined ? undefined : Date.parse(to),
  };
}
