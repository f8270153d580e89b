import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import { warnOfRules } from "../../domain/release-rule/warn-of-rules.ts";
import { warnOfBlanks } from "./warn-of-blanks.ts";
import { warnOfRegions } from "./warn-of-regions.ts";

/** What is to be said of the rules of a config where the core says nothing: one that another shadows is served to nobody. */
export function warnOfReleases(rules: readonly ReleaseRule[], regions: readonly string[]): string[] {
  return [...warnOfRules(rules), ...warnOfBlanks(rules), ...warnOfRegions(rules, regions)];
}
