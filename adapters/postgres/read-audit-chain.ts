import { and, asc, gt, sql, eq } from "drizzle-orm";
import type { ChainedRow } from "../../domain/access/audit-chain.ts";
import { auditLogs } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Rows of the transaction's tenant after `after`, in the order of its chain. */
export function readAuditChain(
  tx: Transaction,
  input: { tenant: string; after: number; limit: number },
): Promise<ChainedRow[]> {
  return tx
    .select({
      tenant: auditLogs.tenantId,
      seq: auditLogs.seq,
      prevHash: auditLogs.prevHash,
      hash: auditLogs.hash,
      id: auditLogs.id,
      actorType: auditLogs.actorType,
      actorId: auditLogs.actorId,
      actorName: auditLogs.actorName,
      ip: auditLogs.ip,
      action: auditLogs.action,
      resource: auditLogs.resource,
      outcome: auditLogs.outcome,
      traceId: auditLogs.traceId,
      summary: auditLogs.summary,
      clusterId: auditLogs.clusterId,
      epoch: auditLogs.epoch,
      logIndex: auditLogs.logIndex,
      // A Date would lose what somebody has put behind the milliseconds.
      createdAtMicros: sql<string>`((extract(epoch from ${auditLogs.createdAt}) * 1000000)::bigint)::text`,
    })
    .from(auditLogs)
    .where(and(eq(auditLogs.tenantId, input.tenant), gt(auditLogs.seq, input.after)))
    .orderBy(asc(auditLogs.seq))
    .limit(input.limit);
}
