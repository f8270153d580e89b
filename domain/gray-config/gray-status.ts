import type { Config, ConfigVersion } from "../config/config.ts";
import { defaultVersion } from "../release-rule/default-rule.ts";
import { compileRules } from "../release-rule/compile-rules.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";
import { isRunning, type PublishPlan, publishStatus } from "../publish/publish-plan.ts";
import { isDraft } from "./find-draft.ts";

type Releases = Pick<Config, "id" | "latest_version_id" | "releases">;
type Version = Pick<ConfigVersion, "version_id" | "created_at_ms" | "deprecated_at_ms">;

/**
 * Where a version of a typed config stands (P2): `draft`, `stage1` to `stageN`, `paused`, `full`, `deprecated` or
 * `aborted`. `plans` are those that are kept of its config, the newest first. A version that was full and is no more,
 * however that came, is deprecated.
 */
export function grayStatus(
  config: Releases,
  version: Version,
  plans: readonly Pick<PublishPlan, "version_id" | "created_at_ms" | "state" | "stage">[],
): string {
  const id = version.version_id;
  if (defaultVersion(config.releases) === id) return "full";
  const last = plans.find((plan) => plan.version_id === id);
  if (last !== undefined && isRunning(last)) return publishStatus(last);
  if (last?.state === "aborted" && version.deprecated_at_ms === undefined) return "aborted";
  return isDraft(config, version, plans) ? "draft" : "deprecated";
}

/**
 * The regions in which some client may get the version now (`effective_gray_groups`), those of `regions` first and in their
 * order, then what else the rules name. While a plan runs, the old version and the new one have regions of their own.
 */
export function effectiveGrayGroups(
  { id, releases }: Pick<Config, "id" | "releases">,
  versionId: number,
  regions: readonly string[],
): string[] {
  if (!releases.some(({ version_id }) => version_id === versionId)) return [];
  const named = releases.flatMap((rule) => rule.edge?.regions ?? []);
  return [...new Set([...regions, ...named])].filter((region) =>
    servedIn(releases, region, id).has(versionId),
  );
}

/** The versions that clients of a region may get: by the rules down to the first that all of them match. */
function servedIn(releases: readonly ReleaseRule[], region: string, configId: string): Set<number> {
  const served = new Set<number>();
  for (const rule of compileRules({ rules: releases, region, configId }).rules) {
    served.add(rule.version_id);
    const isForAll = rule.labels.length === 0 && rule.when.length === 0 && rule.percentage === null;
    if (isForAll) break;
  }
  return served;
}
