import type { Context } from "hono";
import type { Consistency } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ChangeRequest } from "../../domain/change-request/change-request.ts";
import { hideInTime } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclaredOfConfig } from "./require-permission.ts";

/**
 * Reads a change request and checks that the caller may do with its config what the route declares. Who may not even read
 * it is told what is told of an id that does not exist, word for word.
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
  await requireDeclaredOfConfig(c, request, hidden);
  return request;
}
