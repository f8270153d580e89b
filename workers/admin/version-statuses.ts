import type { Context } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Config, ConfigVersion } from "../../domain/config/config.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import { versionStatus } from "../../domain/publish/version-status.ts";
import { readPlans } from "./gray-read.ts";
import type { AdminEnv } from "./principal.ts";

/** Says of versions of `config` where they stand, after one look at the plans that are kept of it. */
export async function versionStatuses(
  c: Context<AdminEnv>,
  config: Config,
): Promise<(version: ConfigVersion) => string> {
  const plans = await findPlans(c, config.id);
  return (version) => versionStatus(config.releases, plans, version);
}

/** None when they went with their config meanwhile. */
async function findPlans(c: Context<AdminEnv>, configId: string): Promise<PublishPlan[]> {
  try {
    return await readPlans(c, configId);
  } catch (error) {
    if (error instanceof ConfluxError && error.code === "not_found") return [];
    throw error;
  }
}
