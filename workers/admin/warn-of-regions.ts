import type { PublishStageInput } from "../../domain/publish/publish-plan.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";

/** Rules one answer warns of; the rest is counted. */
const REGION_WARNINGS_MAX = 20;
/** Regions that one warning names. */
const REGIONS_TOLD_MAX = 100;

/** The same of the stages of a plan, those that it comes to later included: a slip of the pen would bake for nothing. */
export function warnOfStageRegions(
  stages: readonly Pick<PublishStageInput, "regions">[],
  regions: readonly string[],
): string[] {
  const unknown = new Set(
    stages.flatMap((stage) => stage.regions ?? []).filter((name) => !regions.includes(name)),
  );
  return unknown.size === 0
    ? []
    : [`the stages name unknown regions: ${[...unknown].slice(0, REGIONS_TOLD_MAX).join(", ")}`];
}

/** The log knows no regions, and one may be added after a rule that names it: so a warning, not a refusal. */
export function warnOfRegions(rules: readonly ReleaseRule[], regions: readonly string[]): string[] {
  const warnings = rules.flatMap((rule, position) => {
    const unknown = (rule.edge?.regions ?? []).filter((region) => !regions.includes(region));
    return unknown.length === 0
      ? []
      : [`the rule at position ${position} names unknown regions: ${unknown.join(", ")}`];
  });
  const more = warnings.length - REGION_WARNINGS_MAX;
  return more <= 0
    ? warnings
    : [...warnings.slice(0, REGION_WARNINGS_MAX), `${more} more rules name unknown regions`];
}
