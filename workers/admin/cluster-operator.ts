import type { Context } from "hono";
import type { OperationHead } from "../../contracts/core/cluster-api.ts";
import type { Position } from "../../contracts/core/core-api.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import type { AdminEnv } from "./principal.ts";
import { requirePermission } from "./require-permission.ts";

/** The core belongs to no tenant, and no role reaches it: who operates it is marked as an operator. */
export const CLUSTER_RESOURCE = `${SYSTEM_TENANT}/cluster`;

/** Refuses (`forbidden`) who may not operate the core; answers who asks, for the operation's audit. */
export async function requireOperator(c: Context<AdminEnv>): Promise<OperationHead> {
  await requirePermission(c, "execute", CLUSTER_RESOURCE);
  const { principal, traceId } = c.var;
  return { actor: principal.actor, ip: principal.ip, trace_id: traceId };
}

/** Where the log stands after the operation, signed. */
export function operationIndex(c: Context<AdminEnv>, answer: Position): Promise<string> {
  const { cluster_id, epoch, index } = answer;
  return c.var.deps.indexSigner.sign({ cluster_id, epoch, index });
}
