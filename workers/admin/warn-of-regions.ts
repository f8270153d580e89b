import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";

/** Rules one answer warns of; the rest is counted. */
const REGION_WARNINGS_MAX = 20;

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
