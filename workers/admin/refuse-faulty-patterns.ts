import { checkRulePatterns } from "../../adapters/rule-pattern/check-rule-patterns.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";

/**
 * Refuses rules with a regular expression that no edge could use. Here and not in the core: what the state machine takes
 * must not change with the version of a library. Throws `validation_failed` with paths below `pathPrefix`.
 */
export function refuseFaultyPatterns(rules: readonly Pick<ReleaseRule, "when">[], pathPrefix: string): void {
  const errors = checkRulePatterns(rules, pathPrefix);
  if (errors.length > 0) {
    throw new ConfluxError("validation_failed", "the release rules are not valid", { errors });
  }
}
