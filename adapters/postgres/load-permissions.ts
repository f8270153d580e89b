import { sql } from "drizzle-orm";
import type { Permission } from "../../domain/access/permits.ts";
import { heldRolesOf } from "./held-roles.ts";
import type { Transaction } from "./with-tenant.ts";

/**
 * What the user's roles in the transaction's tenant grant, held directly or by a group; with `patterns`, what of it has one
 * of these patterns (`coveringPatterns` of a resource: the answer is short however much the roles grant). Empty for an
 * inactive user and for a token issued (`issuedAtMs`) before the user's tokens were called in, or everyone's by a restore,
 * so that they lose their access with the next request. With `issuedAtMs: null` what the roles grant, whatever the sessions.
 */
export async function loadPermissions(
  tx: Transaction,
  input: { userId: string; issuedAtMs: number | null; patterns?: readonly string[] },
): Promise<Permission[]> {
  const { userId, patterns } = input;
  const live =
    input.issuedAtMs === null
      ? sql`true`
      : sql`exists (select from users u where u.id = ${userId} and u.is_active
          and greatest(u.tokens_not_before, (select max(c.tokens_not_before) from clusters c))
            <= ${new Date(input.issuedAtMs).toISOString()}::timestamptz)`;
  const wanted = patterns === undefined ? sql`true` : sql`p.resource_pattern in ${[...patterns]}`;
  const rows = await tx.execute<Permission & Record<string, unknown>>(sql`
    select distinct p.action, p.resource_pattern
    from ${heldRolesOf(userId)} h
    join permissions p on p.tenant_id = h.tenant_id and p.role_id = h.role_id
    where ${wanted} and ${live}`);
  return rows.map(({ action, resource_pattern }) => ({ action, resource_pattern }));
}
