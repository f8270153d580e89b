import { positionsOverDefault } from "../../domain/release-rule/default-rule.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";

/**
 * A plan that is full moves the default rule. Where another rule is for everyone, too, and comes before that, nobody gets
 * anything of it: so a warning, before the plan has baked for nothing. `versionId` is the plan's.
 */
export function warnOfDefault(rules: readonly ReleaseRule[], versionId: number): string[] {
  return positionsOverDefault(rules).flatMap((position) => {
    const held = rules[position]?.version_id;
    return held === versionId
      ? []
      : [
          `the rule at position ${position} is for every client and comes before the default rule: when the plan is full they get version ${held} all the same`,
        ];
  });
}
