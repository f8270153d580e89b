import { sql } from "drizzle-orm";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { tenantScopedId } from "../../domain/access/tenant-scoped-id.ts";
import { leaveTenant } from "./user-rows.ts";
import { setTenant, type Transaction } from "./with-tenant.ts";

/** What grants of older builds used in each tenant, whoever had made it, and gave everything. */
const SHARED_ROLE = "break-glass";

/** The role that a grant makes in a tenant: nobody could have made one of this id or name before, and a new name does not hide it. */
export const breakGlassRole = (tenant: string, grantId: string): { id: string; name: string } => ({
  id: tenantScopedId(tenant, grantId),
  name: `break-glass-${grantId.toLowerCase()}`,
});

export interface EndedBreakGlass {
  username: string;
  /** Those in which the user could do everything. */
  tenants: string[];
}

/**
 * Ends every break-glass user who is left, or those whose time is over: no longer active, and their roles gone from the
 * tenants, with whoever else was put into them. In a transaction of the system's tenant, by the owner; the caller audits it.
 */
export async function endBreakGlass(
  tx: Transaction,
  input: { nowMs: number; isExpiredOnly: boolean },
): Promise<EndedBreakGlass[]> {
  const now = new Date(input.nowMs).toISOString();
  const due = input.isExpiredOnly ? sql`g.expires_at < ${now}::timestamptz` : sql`true`;
  const left = await tx.execute<{ id: string; user_id: string; username: string; tenants: string[] }>(sql`
    select g.id, g.user_id, u.username, to_jsonb(u.tenants) as tenants
    from break_glass_grants g cross join lateral conflux_find_session_user(g.user_id) u
    where g.tenant_id = ${SYSTEM_TENANT} and (u.is_active or cardinality(u.tenants) > 0) and ${due} order by g.id`);
  const isSharedLeft = input.isExpiredOnly && (await isAnyOpen(tx, now));
  for (const { id, user_id: userId, tenants } of left) {
    await tx.execute(sql`select conflux_deactivate_user(${userId}, ${now}::timestamptz)`);
    await tx.execute(sql`update break_glass_grants set used_at = ${now}::timestamptz
      where tenant_id = ${SYSTEM_TENANT} and id = ${id} and used_at is null`);
    for (const tenant of tenants) {
      await setTenant(tx, tenant);
      if (!isSharedLeft) await emptySharedRole(tx, { tenant, userId });
      await takeRole(tx, { tenant, userId, roleId: breakGlassRole(tenant, id).id });
    }
    await setTenant(tx, SYSTEM_TENANT);
  }
  return left.map(({ username, tenants }) => ({ username, tenants }));
}

/** Whether an emergency goes on: a grant of an older build may hold the shared role. */
async function isAnyOpen(tx: Transaction, now: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    select 1 from break_glass_grants g cross join lateral conflux_find_session_user(g.user_id) u
    where g.tenant_id = ${SYSTEM_TENANT} and u.is_active and g.expires_at >= ${now}::timestamptz limit 1`);
  return rows.length > 0;
}

/** The tenant is named besides being set, here and below: the owner may be one whom row-level security does not bind. */
async function emptySharedRole(tx: Transaction, input: { tenant: string; userId: string }): Promise<void> {
  const { tenant, userId } = input;
  await tx.execute(sql`delete from permissions p using roles r, user_roles l
    where p.tenant_id = ${tenant} and p.resource_pattern = '**'
      and r.tenant_id = p.tenant_id and r.id = p.role_id and r.name = ${SHARED_ROLE}
      and l.tenant_id = p.tenant_id and l.role_id = p.role_id and l.user_id = ${userId}`);
}

async function takeRole(
  tx: Transaction,
  input: { tenant: string; userId: string; roleId: string },
): Promise<void> {
  const { tenant, userId, roleId } = input;
  await tx.execute(sql`delete from roles where tenant_id = ${tenant} and id = ${roleId}`);
  await leaveTenant(tx, userId);
}
