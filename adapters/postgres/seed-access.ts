import { sql } from "drizzle-orm";
import { ulid } from "ulid";
import type { TenantQuotas } from "../../domain/quota/tenant-quotas.ts";
import { applications, clusters, tenants } from "../../migrations/schema.ts";
import type { Database } from "./connect.ts";
import { createUser } from "./create-user.ts";
import { findUserForLogin } from "./find-user-for-login.ts";
import { ensureAdminRole, grantRole } from "./grant-role.ts";
import { refuseDeletedName } from "./tenant-rows.ts";
import { inTransaction, withTenant } from "./with-tenant.ts";

/**
 * Makes a tenant (and its cluster and applications) when they are missing; without `quotas` with the defaults of the table.
 * One that is there keeps its quotas. `database` is the owner's. Repeatable. `already_exists` for the name of a tenant that was
 * deleted.
 */
export async function ensureTenant(
  database: Database,
  input: { tenant: string; clusterId: string; applications?: readonly string[]; quotas?: TenantQuotas },
): Promise<void> {
  await withTenant(database, input.tenant, async (tx) => {
    await tx.insert(clusters).values({ id: input.clusterId }).onConflictDoNothing();
    const made = await tx
      .insert(tenants)
      .values({ tenantId: input.tenant, clusterId: input.clusterId, ...input.quotas })
      .onConflictDoNothing()
      .returning({ tenant: tenants.tenantId });
    if (made.length > 0) await refuseDeletedName(tx, input.tenant);
    for (const name of input.applications ?? []) {
      await tx.insert(applications).values({ tenantId: input.tenant, name }).onConflictDoNothing();
    }
  });
}

/**
 * Makes a user who may do everything in `tenant`. A user of this name keeps the password it has; the role and its permissions are
 * put right. Repeatable.
 */
export async function ensureAdminUser(
  database: Database,
  input: { tenant: string; username: string; passwordHash: string },
): Promise<{ userId: string; created: boolean }> {
  const existing = await findUserForLogin(database, input.username);
  const userId = existing?.id ?? `usr_${ulid()}`;
  await withTenant(database, input.tenant, async (tx) => {
    if (existing === null) {
      await createUser(tx, { id: userId, username: input.username, passwordHash: input.passwordHash });
    }
    const roleId = await ensureAdminRole(tx, input.tenant, ulid());
    await grantRole(tx, { tenant: input.tenant, userId, roleId });
  });
  return { userId, created: existing === null };
}

/** Makes a user an operator: of the core and its backups, which belong to no tenant. `database` is the owner's. Repeatable. */
export function ensureOperator(database: Database, userId: string): Promise<void> {
  return inTransaction(database, async (tx) => {
    await tx.execute(sql`select conflux_make_operator(${userId})`);
  });
}
