import { and, asc, eq, gt, inArray, isNull, sql } from "drizzle-orm";
import { clientTokens, deletedTenants, tenants } from "../../migrations/schema.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Transaction } from "./with-tenant.ts";

export type TenantRow = typeof tenants.$inferSelect;
export interface TenantQuotas {
  maxConfigs?: number;
  maxConfigSizeBytes?: number;
  maxApiRequestsPerMinute?: number;
}

/**
 * The cluster for a new tenant: the one named, else the one with the fewest tenants. To be asked with `_system` set, since
 * it counts everyone's. `validation_failed` for a name that no cluster has.
 */
export async function chooseCluster(tx: Transaction, named: string | undefined): Promise<string> {
  const rows = await tx.execute<{ id: string }>(sql`
    select c.id from clusters c where ${named === undefined ? sql`true` : sql`c.id = ${named}`}
    order by (select count(*) from tenants t where t.cluster_id = c.id), c.id limit 1`);
  const [cluster] = rows;
  if (cluster !== undefined) return cluster.id;
  if (named === undefined) throw new ConfluxError("conflict", "There is no cluster yet.");
  throw new ConfluxError("validation_failed", "There is no such cluster.", {
    errors: [{ path: "/cluster_id", message: "the id of a cluster of this installation" }],
  });
}

/**
 * Adds a tenant, which is the transaction's; null when there is one of this name. `already_exists` for the name of one that
 * was deleted: its audit and its publish history are still there, and would be the new one's to read.
 */
export async function insertTenant(
  tx: Transaction,
  input: { tenant: string; clusterId: string; quotas: TenantQuotas },
): Promise<TenantRow | null> {
  const rows = await tx
    .insert(tenants)
    .values({ tenantId: input.tenant, clusterId: input.clusterId, ...input.quotas })
    .onConflictDoNothing()
    .returning();
  const [row] = rows;
  if (row === undefined) return null;
  await refuseDeletedName(tx, input.tenant);
  return row;
}

/**
 * Refuses (`already_exists`) the name of a tenant that was deleted; the transaction's. To be asked after the new row was
 * inserted, which waits for a deletion on its way.
 */
export async function refuseDeletedName(tx: Transaction, tenant: string): Promise<void> {
  const marks = await tx.select().from(deletedTenants).where(eq(deletedTenants.tenantId, tenant));
  if (marks.length === 0) return;
  throw new ConfluxError("already_exists", `The name ${tenant} belonged to a tenant that was deleted.`);
}

/** A tenant that the transaction may see, or null. */
export async function findTenant(tx: Transaction, tenant: string): Promise<TenantRow | null> {
  const [row] = await tx.select().from(tenants).where(eq(tenants.tenantId, tenant));
  return row ?? null;
}

/** Tenants that the transaction may see, by name; with `of`, those among them. */
export async function listTenants(
  tx: Transaction,
  input: { of: readonly string[] | null; cursor: string | null; limit: number },
): Promise<{ items: TenantRow[]; nextCursor: string | null }> {
  const rows = await tx
    .select()
    .from(tenants)
    .where(
      and(
        input.of === null ? undefined : inArray(tenants.tenantId, [...input.of]),
        input.cursor === null ? undefined : gt(tenants.tenantId, input.cursor),
      ),
    )
    .orderBy(asc(tenants.tenantId))
    .limit(input.limit + 1);
  const items = rows.slice(0, input.limit);
  return { items, nextCursor: rows.length > input.limit ? (items.at(-1)?.tenantId ?? null) : null };
}

/** Changes the quotas that are given, of the transaction's tenant. */
export async function changeTenant(
  tx: Transaction,
  tenant: string,
  quotas: TenantQuotas,
): Promise<TenantRow> {
  const [row] = await tx
    .update(tenants)
    .set({ ...quotas, revision: sql`${tenants.revision} + 1` })
    .where(eq(tenants.tenantId, tenant))
    .returning();
  if (row === undefined) throw new ConfluxError("not_found", `no tenant ${tenant}`);
  return row;
}

/** Deletes the transaction's tenant with all its rows but its history. The database keeps the name from being given again. */
export async function deleteTenant(tx: Transaction, tenant: string): Promise<void> {
  await tx.execute(sql`delete from idempotency_keys where tenant_id = ${tenant}`);
  await tx.delete(tenants).where(eq(tenants.tenantId, tenant));
}

/** Whether clients hold a token of the transaction's tenant that is neither revoked nor expired. */
export async function hasLiveClientTokens(tx: Transaction, nowMs: number): Promise<boolean> {
  const rows = await tx
    .select({ id: clientTokens.id })
    .from(clientTokens)
    .where(and(isNull(clientTokens.revokedAt), gt(clientTokens.expiresAt, new Date(nowMs))))
    .limit(1);
  return rows.length > 0;
}
