import type { ConfigVersion } from "../config/config.ts";
import { defaultVersion } from "../release-rule/default-rule.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";
import { isRunning, type PublishPlan, publishStatus } from "./publish-plan.ts";

/**
 * Where a version stands (P2): `full` while the default rule names it, else `stage1` to `stageN` or `paused` while a plan
 * brings it, `released` while other rules name it, `deprecated` when a plan once brought it to everyone (a rollback took it
 * back, or another plan put its version in its place), and `draft`. `plans` are those that are kept of its config.
 */
export function versionStatus(
  releases: readonly ReleaseRule[],
  plans: readonly Pick<PublishPlan, "version_id" | "state" | "stage">[],
  version: Pick<ConfigVersion, "version_id" | "deprecated_at_ms">,
): string {
  const id = version.version_id;
  if (defaultVersion(releases) === id) return "full";
  const ofIt = plans.filter(({ version_id }) => version_id === id);
  const running = ofIt.find(isRunning);
  if (running !== undefined) return publishStatus(running);
  if (releases.some(({ version_id }) => version_id === id)) return "released";
  const wasFull = ofIt.some(({ state }) => state === "full" || state === "deprecated");
  return wasFull || version.deprecated_at_ms !== undefined ? "deprecated" : "draft";
}
