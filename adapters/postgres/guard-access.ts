import { sql } from "drizzle-orm";
import { PERMISSIONS_PER_USER_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { PERMISSION_ACTIONS } from "../../domain/access/permits.ts";
import { tenants } from "../../migrations/schema.ts";
import { eq } from "drizzle-orm";
import { HELD_ROLES } from "./held-roles.ts";
import type { Transaction } from "./with-tenant.ts";

/**
 * Makes changes of a tenant's access wait for each other, so that two that are harmless alone cannot together take the
 * last administrator away. `not_found` when the tenant is gone. Rows that refer to the tenant are not held up.
 */
export async function lockTenant(tx: Transaction, tenant: string): Promise<void> {
  const rows = await tx
    .select({ id: tenants.tenantId })
    .from(tenants)
    .where(eq(tenants.tenantId, tenant))
    .for("no key update");
  if (rows.length === 0) throw new ConfluxError("not_found", `no tenant ${tenant}`);
}

/**
 * Whether an active user may do everything in the transaction's tenant, which is `tenant`, and so undo any change. One who was
 * made for an emergency does not count: nobody can be that user when it is over.
 */
export async function hasAdministrator(tx: Transaction, tenant: string): Promise<boolean> {
  const ofTenant = sql`p.resource_pattern in ('**', '*', ${tenant}::text)`;
  const below = sql`p.resource_pattern in ('**', '*/**', ${`${tenant}/**`}::text)`;
  const rows = await tx.execute(sql`
    select 1 from (
      select h.user_id, p.action from ${HELD_ROLES} h
      join permissions p on p.tenant_id = h.tenant_id and p.role_id = h.role_id
      where ${ofTenant} or ${below}
      group by h.user_id, p.action having bool_or(${ofTenant}) and bool_or(${below})
    ) a join users u on u.id = a.user_id and u.is_active and not conflux_is_break_glass(u.id)
    group by a.user_id having count(*) = ${PERMISSION_ACTIONS.length} limit 1`);
  return rows.length > 0;
}

/** Refuses (`quota_exceeded`) a change after which a user's roles grant more than one request may have to read. */
export async function refuseTooManyPermissions(tx: Transaction): Promise<void> {
  const rows = await tx.execute(sql`
    with sizes as (select role_id, count(*) as n from permissions group by role_id)
    select 1 from sizes where n > ${PERMISSIONS_PER_USER_MAX}
    union all
    (select 1 from ${HELD_ROLES} h join sizes s on s.role_id = h.role_id
      group by h.user_id having sum(s.n) > ${PERMISSIONS_PER_USER_MAX} limit 1)`);
  if (rows.length === 0) return;
  throw new ConfluxError(
    "quota_exceeded",
    `The roles of one user may grant ${PERMISSIONS_PER_USER_MAX} permissions at most.`,
  );
}

/** Refuses (`quota_exceeded`) one row more in a table of which the transaction's tenant may have `max`. */
export async function refuseOver(
  tx: Transaction,
  table: "roles" | "user_groups" | "applications",
  max: number,
): Promise<void> {
  const rows = await tx.execute<{ n: number }>(sql`select count(*)::int as n from ${sql.identifier(table)}`);
  if ((rows[0]?.n ?? 0) < max) return;
  throw new ConfluxError("quota_exceeded", `A tenant may have ${max} ${table.replace("_", " ")}.`);
}
