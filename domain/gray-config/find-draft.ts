import type { Config, ConfigVersion } from "../config/config.ts";
import { PUBLISHES_KEPT_MAX } from "../limits.ts";
import type { PublishPlan } from "../publish/publish-plan.ts";

/**
 * Whether a version is a draft: the latest one, which no rule names and no plan ever named. `plans` are those that are
 * kept of the config, the newest first. Where a plan that named it may have been forgotten the answer is no, so that
 * what clients once had is never written over.
 */
export function isDraft(
  config: Pick<Config, "latest_version_id" | "releases">,
  version: Pick<ConfigVersion, "version_id" | "created_at_ms" | "deprecated_at_ms">,
  plans: Iterable<Pick<PublishPlan, "version_id" | "created_at_ms">>,
): boolean {
  const id = version.version_id;
  if (id !== config.latest_version_id || version.deprecated_at_ms !== undefined) return false;
  if (config.releases.some(({ version_id }) => version_id === id)) return false;
  let seen = 0;
  for (const plan of plans) {
    if (plan.version_id === id) return false;
    // Neither it nor one before it can have named a version that was not there yet.
    if (plan.created_at_ms < version.created_at_ms) return true;
    seen += 1;
  }
  return seen < PUBLISHES_KEPT_MAX;
}
