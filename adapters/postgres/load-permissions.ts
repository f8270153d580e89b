import { and, eq, sql } from "drizzle-orm";
import type { Permission } from "../../domain/access/permits.ts";
import { permissions, userRoles, users } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Permissions one user may hold in a tenant; more are refused when they are granted. */
export const PERMISSIONS_PER_USER_MAX = 10_000;

/**
 * What the user's roles in the transaction's tenant grant. Empty for an inactive user and for a token issued
 * (`issuedAtMs`) before the user's tokens were called in, or everyone's by a restore, so that they lose their access with
 * the next request.
 */
export async function loadPermissions(
  tx: Transaction,
  input: { userId: string; issuedAtMs: number },
): Promise<Permission[]> {
  const rows = await tx
    .select({
      action: permissions.action,
      resource_pattern: permissions.resourcePattern,
      notBefore:
        sql`greatest(${users.tokensNotBefore}, (select max(tokens_not_before) from clusters))`.mapWith(
          users.tokensNotBefore,
        ),
    })
    .from(userRoles)
    .innerJoin(users, eq(users.id, userRoles.userId))
    .innerJoin(
      permissions,
      and(eq(permissions.tenantId, userRoles.tenantId), eq(permissions.roleId, userRoles.roleId)),
    )
    .where(and(eq(userRoles.userId, input.userId), eq(users.isActive, true)))
    .limit(PERMISSIONS_PER_USER_MAX);
  return rows
    .filter((row) => row.notBefore.getTime() <= input.issuedAtMs)
    .map(({ action, resource_pattern }) => ({ action, resource_pattern }));
}
