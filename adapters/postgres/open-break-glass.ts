import { sql } from "drizzle-orm";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { PERMISSION_ACTIONS } from "../../domain/access/permits.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import type { Actor } from "../../domain/command/command.ts";
import { breakGlassGrants } from "../../migrations/schema.ts";
import { appendAuditRows, type AuditRow } from "./append-audit-rows.ts";
import type { Database } from "./connect.ts";
import { tenantExists } from "./tenant-exists.ts";
import { createUser } from "./create-user.ts";
import { breakGlassRole, endBreakGlass, type EndedBreakGlass } from "./end-break-glass.ts";
import { grantPermissions, grantRole } from "./grant-role.ts";
import { insertNamed } from "./named-rows.ts";
import { setTenant, type Transaction, withTenant } from "./with-tenant.ts";

export interface BreakGlassOpening {
  id: string;
  /** SHA-256 of the code, in hex. */
  codeDigest: string;
  /** Tenants in which the session may do everything, besides what belongs to none. */
  tenants: readonly string[];
  reason: string;
  openedBy: string;
  nowMs: number;
  expiresAtMs: number;
  /** A new ULID each time. */
  unique: () => string;
}

/**
 * Makes a user for one emergency, an operator who may do everything in `tenants` and has no password, and the grant whose code
 * lets somebody be that user until `expiresAtMs`. `database` is the owner's. Audited for the system and each tenant. What may
 * do everything in a tenant is a role of this grant alone, which ends with it.
 */
export function openBreakGlass(
  database: Database,
  opening: BreakGlassOpening,
): Promise<{ username: string }> {
  const { id, reason, openedBy, nowMs, expiresAtMs } = opening;
  const tenants = [...new Set(opening.tenants)];
  const userId = `usr_${opening.unique()}`;
  const username = `break-glass-${id.toLowerCase()}`;
  return withTenant(database, SYSTEM_TENANT, async (tx) => {
    const expired = await endBreakGlass(tx, { nowMs, isExpiredOnly: true });
    await createUser(tx, { id: userId, username, passwordHash: null });
    await tx.execute(sql`select conflux_make_operator(${userId})`);
    await tx.insert(breakGlassGrants).values({
      tenantId: SYSTEM_TENANT,
      id,
      userId,
      codeDigest: opening.codeDigest,
      reason,
      openedBy,
      createdAt: new Date(nowMs),
      expiresAt: new Date(expiresAtMs),
    });
    for (const tenant of tenants) await grantEverything(tx, { tenant, userId, grantId: id });
    const until = new Date(expiresAtMs).toISOString();
    const actor = databaseOwner(openedBy);
    const summary = `BREAK-GLASS opened for ${username} until ${until}: ${reason}`;
    await appendAuditRows(tx, [
      ...endedRows(expired, { actor, nowMs }),
      ...[SYSTEM_TENANT, ...tenants].map((tenant) => auditRow({ actor, tenant, summary, nowMs })),
    ]);
    return { username };
  });
}

const databaseOwner = (name: string): Actor => ({ type: "system", id: "database-owner", name });

function auditRow(act: { actor: Actor; tenant: string; summary: string; nowMs: number }): AuditRow {
  return {
    tenant: act.tenant,
    actor: act.actor,
    ip: "",
    action: "execute",
    resource: act.tenant === SYSTEM_TENANT ? "break-glass" : act.tenant,
    outcome: "success",
    traceId: "",
    summary: act.summary,
    position: null,
    createdAtMs: act.nowMs,
  };
}

/** For each tenant whose roles the end of a session changed. */
function endedRows(ended: readonly EndedBreakGlass[], act: { actor: Actor; nowMs: number }): AuditRow[] {
  return ended.flatMap(({ username, tenants }) =>
    tenants.map((tenant) => auditRow({ ...act, tenant, summary: `BREAK-GLASS ended for ${username}` })),
  );
}

async function grantEverything(
  tx: Transaction,
  input: { tenant: string; userId: string; grantId: string },
): Promise<void> {
  const { tenant, userId, grantId } = input;
  await setTenant(tx, tenant);
  if (!(await tenantExists(tx, tenant))) throw new ConfluxError("not_found", `no tenant ${tenant}`);
  const description = "What a break-glass session may do (docs/security.md)";
  // One that is there already is somebody's, who may hold it: refused.
  const { id: roleId } = await insertNamed(tx, "roles", {
    tenant,
    ...breakGlassRole(tenant, grantId),
    description,
  });
  const permissions = PERMISSION_ACTIONS.map((action) => ({ action, resource_pattern: "**" }));
  await grantPermissions(tx, { tenant, roleId, permissions });
  await grantRole(tx, { tenant, userId, roleId });
}

/** Ends every break-glass session and grant at once, and what expired ones left; answers how many. `database` is the owner's. Audited. */
export function closeBreakGlass(
  database: Database,
  input: { closedBy: string; nowMs: number },
): Promise<number> {
  return withTenant(database, SYSTEM_TENANT, async (tx) => {
    const { nowMs } = input;
    const ended = await endBreakGlass(tx, { nowMs, isExpiredOnly: false });
    const actor = databaseOwner(input.closedBy);
    const summary = `BREAK-GLASS closed: ${ended.length} ended`;
    await appendAuditRows(tx, [
      ...endedRows(ended, { actor, nowMs }),
      auditRow({ actor, tenant: SYSTEM_TENANT, summary, nowMs }),
    ]);
    return ended.length;
  });
}
