import type { Context } from "hono";
import type { Consistency } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { PermissionAction } from "../../domain/access/permits.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import type { AdminEnv } from "./principal.ts";

/**
 * Reads a publish plan and checks that the caller may do `action` with its config. Who may not even read it is told what
 * is told of an id that does not exist, word for word.
 */
export async function findPublish(
  c: Context<AdminEnv>,
  action: PermissionAction,
  id: string,
  consistency: Consistency = "leader",
): Promise<PublishPlan> {
  const { core } = c.var.deps;
  const { publish } = await core.getPublish(id, { consistency, traceparent: c.var.traceparent });
  const resource = fullName(publish.namespace, publish.name);
  const { principal } = c.var;
  if (await principal.allows(action, resource)) return publish;
  if (action !== "read" && (await principal.allows("read", resource))) {
    throw new ConfluxError("forbidden", `You need the permission ${action} on ${resource}`);
  }
  throw new ConfluxError("not_found", `no publish ${id}`);
}
