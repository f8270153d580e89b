import type { Context } from "hono";
import { loadPermissions } from "../../adapters/postgres/load-permissions.ts";
import { permissionsOfRoles } from "../../adapters/postgres/role-permissions.ts";
import type { Transaction } from "../../adapters/postgres/with-tenant.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { indexPermissions, type Permission, permissionsBeyond } from "../../domain/access/permits.ts";
import type { AdminEnv } from "./principal.ts";

/** Permissions that one refusal names. */
const NAMED_MAX = 5;

/**
 * Refuses (`forbidden`) a caller who would hand on permissions that they do not hold themselves in the transaction's
 * tenant: or who may write roles could give themselves everything.
 */
export async function requireHeld(
  c: Context<AdminEnv>,
  tx: Transaction,
  tenant: string,
  wanted: readonly Permission[],
): Promise<void> {
  if (wanted.length === 0) return;
  const { actor, issuedAtMs } = c.var.principal;
  const held = indexPermissions(await loadPermissions(tx, { userId: actor.id, issuedAtMs }));
  const beyond = permissionsBeyond(held, tenant, wanted);
  if (beyond.length === 0) return;
  const named = beyond.slice(0, NAMED_MAX).map((p) => `${p.action} on ${p.resource_pattern}`);
  const rest = beyond.length > NAMED_MAX ? ` and ${beyond.length - NAMED_MAX} more` : "";
  throw new ConfluxError("forbidden", `You do not hold what you would hand on: ${named.join(", ")}${rest}.`);
}

/** The same of all that these roles grant. */
export async function requireHeldRoles(
  c: Context<AdminEnv>,
  tx: Transaction,
  tenant: string,
  roleIds: readonly string[],
): Promise<void> {
  await requireHeld(c, tx, tenant, await permissionsOfRoles(tx, roleIds));
}
