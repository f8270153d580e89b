import type { ConfigVersion } from "../config/config.ts";
import { defaultVersion } from "../release-rule/default-rule.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";
import { isRunning, type PublishPlan, publishStatus } from "./publish-plan.ts";

/**
 * Where a version stands (P2): `full` while the default rule names it, else `stage1` to `stageN` or `paused` while a plan
 * brings it, `released` while other rules name it, `deprecated` once a plan has put another in its place, and `draft`.
 * `plan` is the plan that owns rules of the config, null for none.
 */
export function versionStatus(
  releases: readonly ReleaseRule[],
  plan: PublishPlan | null,
  version: Pick<ConfigVersion, "version_id" | "deprecated_at_ms">,
): string {
  const id = version.version_id;
  if (defaultVersion(releases) === id) return "full";
  if (plan !== null && isRunning(plan) && plan.version_id === id) return publishStatus(plan);
  if (releases.some(({ version_id }) => version_id === id)) return "released";
  return version.deprecated_at_ms === undefined ? "draft" : "deprecated";
}
