import type { Context } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Config, ConfigVersion } from "../../domain/config/config.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import { versionStatus } from "../../domain/publish/version-status.ts";
import type { AdminEnv } from "./principal.ts";

/** Says of versions of `config` where they stand, after one look at the plan that runs, if one does. */
export async function versionStatuses(
  c: Context<AdminEnv>,
  config: Config,
): Promise<(version: ConfigVersion) => string> {
  const owner = config.releases.find(({ publish_id }) => publish_id !== undefined)?.publish_id;
  const plan = owner === undefined ? null : await findPlan(c, owner);
  return (version) => versionStatus(config.releases, plan, version);
}

/** Null when the plan went with its config meanwhile. */
async function findPlan(c: Context<AdminEnv>, id: string): Promise<PublishPlan | null> {
  try {
    return (await c.var.deps.core.getPublish(id, { traceparent: c.var.traceparent })).publish;
  } catch (error) {
    if (error instanceof ConfluxError && error.code === "not_found") return null;
    throw error;
  }
}
