import type { Context } from "hono";
import type { Consistency } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { DeletedConfig } from "../../domain/config/config.ts";
import { configIdOfPublish, type PublishPlan } from "../../domain/publish/publish-plan.ts";
import { expectedRevision } from "./command-head.ts";
import { hideInTime } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclaredOfConfig } from "./require-permission.ts";

/**
 * Reads a publish plan and checks that the caller may do with its config what the route declares. Who may not even read it is told what
 * is told of an id that does not exist, word for word.
 */
export async function findPublish(
  c: Context<AdminEnv>,
  id: string,
  consistency: Consistency = "leader",
): Promise<PublishPlan> {
  const { core } = c.var.deps;
  const options = { consistency, traceparent: c.var.traceparent };
  const { publish } = await hideInTime(c, () => core.getPublish(id, options));
  await requireDeclaredOfConfig(c, publish, () => publishNotFound(id));
  return publish;
}

/** What a move of a plan goes by. */
export interface PublishForMove extends Pick<PublishPlan, "namespace" | "name"> {
  tenant: string;
  /** The stage that bakes, or the last one that did. */
  stage: number;
  /** The revision that `If-Match` asks for, null for none. */
  revision: number | null;
  /** The plan as it is; null when it went with its config. */
  live: PublishPlan | null;
}

/**
 * The same for a request that moves a plan. With an idempotency key a plan that went with its config is found too: the
 * request may be a repetition, whose first result the log still has (C12).
 */
export async function findPublishForMove(c: Context<AdminEnv>, id: string): Promise<PublishForMove> {
  try {
    const plan = await findPublish(c, id);
    // A plan without stages has ended, whichever stage is named.
    const stage = Math.max(plan.stage, 1);
    const { namespace, name } = plan;
    const revision = expectedRevision(c, plan);
    return { tenant: namespace.tenant, namespace, name, stage, revision, live: plan };
  } catch (error) {
    const isGone = error instanceof ConfluxError && error.code === "not_found";
    if (!isGone || c.req.header("x-idempotency-key") === undefined) throw error;
    const config = await findDeletedConfig(c, configIdOfPublish(id));
    if (config === null) throw error;
    await requireDeclaredOfConfig(c, config, () => publishNotFound(id));
    const { namespace, name } = config;
    return { tenant: namespace.tenant, namespace, name, stage: 1, revision: null, live: null };
  }
}

async function findDeletedConfig(c: Context<AdminEnv>, id: string | null): Promise<DeletedConfig | null> {
  if (id === null) return null;
  try {
    const { deleted } = await c.var.deps.core.getDeletedConfig(id, { traceparent: c.var.traceparent });
    return deleted;
  } catch (error) {
    if (error instanceof ConfluxError && error.code === "not_found") return null;
    throw error;
  }
}

function publishNotFound(id: string): ConfluxError {
  return new ConfluxError("not_found", `no publish ${id}`);
}
