import type { Context } from "hono";
import { appendAuditRows, type AuditRow } from "../../adapters/postgres/append-audit-rows.ts";
import {
  hasAdministrator,
  lockTenant,
  refuseTooManyPermissions,
} from "../../adapters/postgres/guard-access.ts";
import { runIdempotent } from "../../adapters/postgres/run-idempotent.ts";
import { setTenant, type Transaction, withTenant } from "../../adapters/postgres/with-tenant.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { configEtag, expectedRevision, idempotency } from "./command-head.ts";
import type { AdminEnv } from "./principal.ts";

export interface AccessWrite {
  tenant: string;
  action: "write" | "delete";
  /** As the audit names it. */
  resource: string;
}

/** What a write answers, and what the audit says of it. */
export interface AccessResult<T> {
  result: T;
  summary: string;
}

/**
 * Changes who may do what in a tenant, or the users of `_system`: at most once for an idempotency key, one change of a tenant
 * after the other, audited in the same transaction. Refuses (`conflict`) what would leave a tenant without an active user
 * who may do everything in it, and (`quota_exceeded`) what would give one user too many permissions.
 */
export async function writeAccess<T extends object>(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  input: AccessWrite & {
    /** Tenants whose administrators the change may concern, and whose audit says so; the tenant itself when left out. */
    guarded?: readonly string[];
  },
  write: (tx: Transaction) => Promise<AccessResult<T>>,
): Promise<T> {
  const { tenant } = input;
  const nowMs = deps.nowMs();
  const key = await idempotency(c, tenant);
  const guarded = (input.guarded ?? [tenant]).filter((name) => name !== SYSTEM_TENANT).toSorted();
  const { result, replayed } = await withTenant(deps.database(c), tenant, async (tx) => {
    const administered = await lockAll(tx, guarded);
    await setTenant(tx, tenant);
    return runIdempotent(tx, key && { ...key, tenant, nowMs }, async () => {
      const { result: made, summary } = await write(tx);
      for (const of of guarded) await guard(tx, of, administered.has(of));
      await auditAccess(c, tx, { ...input, summary, nowMs }, guarded);
      await setTenant(tx, tenant);
      return made;
    });
  });
  if (replayed) c.header("idempotency-replayed", "true");
  return result;
}

/** Adds the row of a change to the audit of its tenant, and of others that it is about. */
async function auditAccess(
  c: Context<AdminEnv>,
  tx: Transaction,
  input: AccessWrite & { summary: string; nowMs: number },
  others: readonly string[],
): Promise<void> {
  const { principal, traceId } = c.var;
  const { action, summary } = input;
  const rowOf = (tenant: string): AuditRow => ({
    tenant,
    actor: principal.actor,
    ip: principal.ip,
    action,
    // What an operator changed is the system's own, and named without a tenant.
    resource: tenant === input.tenant ? input.resource : `${tenant}/${input.resource}`,
    outcome: "success",
    traceId,
    summary,
    position: null,
    createdAtMs: input.nowMs,
  });
  await appendAuditRows(tx, [...new Set([input.tenant, ...others])].map(rowOf));
}

/** Locks the tenants in the order of their names; answers those that have an administrator to lose. */
async function lockAll(tx: Transaction, tenants: readonly string[]): Promise<Set<string>> {
  const administered = new Set<string>();
  for (const tenant of tenants) {
    await setTenant(tx, tenant);
    await lockTenant(tx, tenant);
    if (await hasAdministrator(tx, tenant)) administered.add(tenant);
  }
  return administered;
}

async function guard(tx: Transaction, tenant: string, wasAdministered: boolean): Promise<void> {
  await setTenant(tx, tenant);
  if (wasAdministered && !(await hasAdministrator(tx, tenant))) {
    throw new ConfluxError("conflict", `Nobody could administer the tenant ${tenant} any more.`);
  }
  await refuseTooManyPermissions(tx);
}

/** Refuses (`precondition_failed`) a change of another revision than the one that `If-Match` names. */
export function requireRevision(c: Context<AdminEnv>, row: { revision: number }): void {
  const expected = expectedRevision(c, row);
  if (expected === null || expected === row.revision) return;
  throw new ConfluxError("precondition_failed", `It has changed: its ETag is ${configEtag(row.revision)}`);
}
