import { and, eq } from "drizzle-orm";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { isPatternOfTenant, type Permission, PERMISSION_ACTIONS } from "../../domain/access/permits.ts";
import { tenantScopedId } from "../../domain/access/tenant-scoped-id.ts";
import { permissions, roles, userRoles } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** The id of the tenant's role of this name, made when it is missing; `unique` becomes part of a new id. */
export async function ensureRole(
  tx: Transaction,
  input: { tenant: string; name: string; description: string; unique: string },
): Promise<string> {
  await tx
    .insert(roles)
    .values({
      tenantId: input.tenant,
      id: tenantScopedId(input.tenant, input.unique),
      name: input.name,
      description: input.description,
    })
    .onConflictDoNothing();
  const [role] = await tx
    .select({ id: roles.id })
    .from(roles)
    .where(and(eq(roles.tenantId, input.tenant), eq(roles.name, input.name)));
  if (role === undefined) throw new ConfluxError("internal", "A role vanished while it was made.");
  return role.id;
}

/**
 * Adds permissions to a role; those it has already are left. `validation_failed` for a pattern that is malformed or
 * can match nothing of the tenant.
 */
export async function grantPermissions(
  tx: Transaction,
  input: { tenant: string; roleId: string; permissions: readonly Permission[] },
): Promise<void> {
  const errors = input.permissions
    .filter((p) => !isPatternOfTenant(p.resource_pattern, input.tenant))
    .map((p) => ({
      path: "/resource_pattern",
      message: `${p.resource_pattern}: begin with '${input.tenant}/', '*/' or use '**'`,
    }));
  if (errors.length > 0) {
    throw new ConfluxError("validation_failed", "A pattern cannot match anything of this tenant.", {
      errors,
    });
  }
  if (input.permissions.length === 0) return;
  await tx
    .insert(permissions)
    .values(
      input.permissions.map((p) => ({
        tenantId: input.tenant,
        roleId: input.roleId,
        action: p.action,
        resourcePattern: p.resource_pattern,
      })),
    )
    .onConflictDoNothing();
}

/** Gives a user a role of the tenant; repeating it changes nothing. */
export async function grantRole(
  tx: Transaction,
  input: { tenant: string; userId: string; roleId: string },
): Promise<void> {
  await tx
    .insert(userRoles)
    .values({ tenantId: input.tenant, userId: input.userId, roleId: input.roleId })
    .onConflictDoNothing();
}

const ADMIN_ROLE = "admin";

/**
 * The id of the tenant's role that may do everything: to what belongs to the tenant as a whole, and to all below it. Made when
 * it is missing, and its permissions put right.
 */
export async function ensureAdminRole(tx: Transaction, tenant: string, unique: string): Promise<string> {
  const description = "May do everything in the tenant";
  const roleId = await ensureRole(tx, { tenant, name: ADMIN_ROLE, description, unique });
  const everything = PERMISSION_ACTIONS.flatMap((action) =>
    [tenant, `${tenant}/**`].map((resource_pattern) => ({ action, resource_pattern })),
  );
  await grantPermissions(tx, { tenant, roleId, permissions: everything });
  return roleId;
}
