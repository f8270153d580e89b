import type { Context } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Config, ConfigVersion } from "../../domain/config/config.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import { versionStatus } from "../../domain/publish/version-status.ts";
import type { AdminEnv } from "./principal.ts";
import { readPlansSince } from "./read-plans.ts";

/** Says of `versions` of `config` where they stand, after one look at the plans that can say anything of them. */
export async function versionStatuses(
  c: Context<AdminEnv>,
  config: Config,
  versions: readonly Pick<ConfigVersion, "created_at_ms">[],
): Promise<(version: ConfigVersion) => string> {
  const plans = await findPlans(c, config.id, oldestOf(versions));
  return (version) => versionStatus(config.releases, plans, version);
}

/** When the oldest of some versions was made, in the log's time. */
export function oldestOf(versions: readonly Pick<ConfigVersion, "created_at_ms">[]): number {
  return versions.reduce((oldest, { created_at_ms }) => Math.min(oldest, created_at_ms), Infinity);
}

/** None when they went with their config meanwhile. */
async function findPlans(c: Context<AdminEnv>, configId: string, sinceMs: number): Promise<PublishPlan[]> {
  try {
    return await readPlansSince(c, configId, sinceMs);
  } catch (error) {
    if (error instanceof ConfluxError && error.code === "not_found") return [];
    throw error;
  }
}
