import type { Context } from "hono";
import type { Consistency } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { sayEnded, stateAt } from "../../domain/change-request/find-change.ts";
import { type ChangeRequest, isWritten } from "../../domain/change-request/change-request.ts";
import { fullName } from "../../domain/config/config-name.ts";
import { hideInTime } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";
import { notHeldByEnv, type Wanted } from "./require-each.ts";
import { declaredAction, hiddenOrEnded, requireDeclaredOfConfig } from "./require-permission.ts";

/**
 * Reads a change request and checks that the caller may do what the route declares with its config, or with each of those that
 * it would change, and may read the others that it names. Who may not even read one of them is told what is told of an
 * id that does not exist, word for word.
 */
export async function findChangeRequest(
  c: Context<AdminEnv>,
  id: string,
  consistency: Consistency = "leader",
): Promise<ChangeRequest> {
  const { core } = c.var.deps;
  const options = { consistency, traceparent: c.var.traceparent };
  const { request } = await hideInTime(c, () => core.getChangeRequest(id, options));
  const hidden = (): ConfluxError => new ConfluxError("not_found", `no change request ${id}`);
  if (request.targets === undefined) await requireDeclaredOfConfig(c, request, hidden);
  else await requireOfTargets(c, request, hidden);
  return request;
}

/**
 * Refuses (`invalid_transition`) a move of a request that has expired, whether the record says so already or not. Not asked
 * of approvals and executions: the log refuses those itself, and still answers a repetition of one that was in time (C12).
 * No other move can be repeated so late: it has ended the request, or given it days.
 */
export function refuseExpired(request: ChangeRequest): void {
  const state = stateAt(request, Date.now());
  if (state === "expired") throw new ConfluxError("invalid_transition", sayEnded(state));
}

/** The configs that a request would change. */
export function changedConfigs({
  namespace,
  name,
  targets,
}: ChangeRequest): Pick<ChangeRequest, "namespace" | "name">[] {
  if (targets === undefined) return [{ namespace, name }];
  const { tenant } = namespace;
  return targets
    .filter(isWritten)
    .map((target) => ({ namespace: { tenant, app: target.app, env: target.env }, name: target.name }));
}

async function requireOfTargets(
  c: Context<AdminEnv>,
  { namespace: { tenant }, targets = [] }: ChangeRequest,
  hidden: () => ConfluxError,
): Promise<void> {
  const declared = declaredAction(c);
  const wanted = targets.map((target): Wanted => ({
    ...target,
    action: isWritten(target) ? declared : "read",
  }));
  for (const { action, app, env, name } of await notHeldByEnv(c, tenant, wanted)) {
    const namespace = { tenant, app, env };
    if (action === declared) await requireDeclaredOfConfig(c, { namespace, name }, hidden);
    else if (!(await c.var.principal.allows("read", fullName(namespace, name))))
      throw await hiddenOrEnded(c, hidden());
  }
}
