import { and, asc, eq, sql } from "drizzle-orm";
import type { Permission } from "../../domain/access/permits.ts";
import { permissions } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** All that these roles of the transaction's tenant grant. */
export function permissionsOfRoles(tx: Transaction, roleIds: readonly string[]): Promise<Permission[]> {
  if (roleIds.length === 0) return Promise.resolve([]);
  return tx
    .selectDistinct({ action: permissions.action, resource_pattern: permissions.resourcePattern })
    .from(permissions)
    .where(sql`${permissions.roleId} in ${[...roleIds]}`);
}

/** A page of what a role of the transaction's tenant grants, by pattern and action. */
export async function listPermissions(
  tx: Transaction,
  input: { roleId: string; after: Permission | null; limit: number },
): Promise<{ items: Permission[]; hasMore: boolean }> {
  const { after } = input;
  const rows = await tx
    .select({ action: permissions.action, resource_pattern: permissions.resourcePattern })
    .from(permissions)
    .where(
      and(
        eq(permissions.roleId, input.roleId),
        after === null
          ? undefined
          : sql`(${permissions.resourcePattern}, ${permissions.action}) > (${after.resource_pattern}, ${after.action}::rbac_action)`,
      ),
    )
    .orderBy(asc(permissions.resourcePattern), asc(permissions.action))
    .limit(input.limit + 1);
  return { items: rows.slice(0, input.limit), hasMore: rows.length > input.limit };
}

/** Takes a permission out of a role; answers whether it was there. */
export async function deletePermission(
  tx: Transaction,
  input: Permission & { roleId: string },
): Promise<boolean> {
  const rows = await tx
    .delete(permissions)
    .where(
      and(
        eq(permissions.roleId, input.roleId),
        eq(permissions.action, input.action),
        eq(permissions.resourcePattern, input.resource_pattern),
      ),
    )
    .returning({ id: permissions.roleId });
  return rows.length > 0;
}
