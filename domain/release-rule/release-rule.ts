/** Operators of a condition (docs/release-rules.md says what each means). */
export const CONDITION_OPS = [
  "in",
  "not_in",
  "prefix",
  "suffix",
  "regex",
  "semver",
  "cidr",
  "exists",
  "gt",
  "lt",
] as const;
export type ConditionOp = (typeof CONDITION_OPS)[number];

/** What one label of a client must be. Of several values one is enough (for `not_in`: none may be the label's). */
export interface RuleCondition {
  /** Stored in lower case, as the names of labels are. */
  label: string;
  op: ConditionOp;
  values: string[];
}

/**
 * A share of the clients, told apart by the value of one label. A client without that label is in no share. Raising
 * `percent` only adds clients.
 */
export interface RulePercentage {
  by: string;
  /** 0 to 100 with at most two decimals. */
  percent: number;
  /** Rules with one salt draw the same clients first; the config's id when left out. */
  salt?: string | undefined;
}

/**
 * A release rule: which version a client gets whose labels include all of `labels`, satisfy all of `when` and are in
 * the `percentage` (seed 003, "Release"). Label names are stored in lower case; values are compared exactly.
 */
export interface ReleaseRule {
  labels: Record<string, string>;
  version_id: number;
  /** Higher wins; ties: the rule with more labels (`countLabels`), then the lower position in the list. */
  priority: number;
  /** Conditions on labels; all must hold. Absent, never empty, on a rule as it is stored. */
  when?: RuleCondition[] | undefined;
  percentage?: RulePercentage | undefined;
  /** Trusted conditions, known from where the request arrived and never from the client. */
  edge?: { regions: string[] } | undefined;
  /** The running publish plan that owns the rule; absent on every rule that a user wrote. */
  publish_id?: string | undefined;
}

/** Whether a rule asks more of a client's labels than that they are some exact values. */
export function hasConditions(rule: Pick<ReleaseRule, "when" | "percentage">): boolean {
  return (rule.when?.length ?? 0) > 0 || rule.percentage !== undefined;
}

/** How much a rule asks of labels: each label, each condition and the percentage count one. */
export function countLabels(rule: ReleaseRule): number {
  return Object.keys(rule.labels).length + (rule.when?.length ?? 0) + (rule.percentage === undefined ? 0 : 1);
}

/** The different regular expressions among the conditions of rules. */
export function listPatterns(rules: readonly Pick<ReleaseRule, "when">[]): Set<string> {
  const patterns = new Set<string>();
  for (const { when = [] } of rules) {
    for (const { op, values } of when) if (op === "regex") for (const value of values) patterns.add(value);
  }
  return patterns;
}
