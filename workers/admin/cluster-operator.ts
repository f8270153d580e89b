import type { Context } from "hono";
import type { SnapshotInput } from "../../contracts/core/cluster-api.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { idempotency } from "./command-head.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

/** The core belongs to no tenant, and no role reaches it: who operates it is marked as an operator. */
export const CLUSTER_RESOURCE = `${SYSTEM_TENANT}/cluster`;

/** Refuses (`forbidden`) who may not operate the core: these routes declare `execute` on `CLUSTER_RESOURCE`. */
export async function requireOperator(c: Context<AdminEnv>): Promise<void> {
  await requireDeclared(c);
}

/** Refuses who may not operate the core; answers who asks, for the operation's audit, and under which key. */
export async function operationRequest(
  c: Context<AdminEnv>,
): Promise<Pick<SnapshotInput, "head" | "idempotency">> {
  await requireOperator(c);
  const { principal, traceId } = c.var;
  const head = { actor: principal.actor, ip: principal.ip, trace_id: traceId };
  const key = await idempotency(c, SYSTEM_TENANT);
  return key === null ? { head } : { head, idempotency: key };
}
