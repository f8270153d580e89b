import { compareDecimals, type Decimal, parseDecimal } from "./decimal.ts";
import { parseIpRange, rangesMeet } from "./ip-range.ts";
import { type LabelTest, needsLabel, prepareCondition } from "./prepare-condition.ts";
import type { ConditionOp, ReleaseRule, RuleCondition } from "./release-rule.ts";
import { intervalsMeet, parseSemverRange } from "./semver-range.ts";

/** Comparisons that may still be made; below 0 the search has given up. */
export interface ComparisonBudget {
  left: number;
}

/** The engine stands outside the rules, so no expression is taken to contradict anything. */
const ANY_PATTERN = (): (() => boolean) => () => true;

/**
 * Why no client whatever can match a rule, as half a sentence; null when one might. Finds a percentage of 0, a label
 * that must and must not be there, exact values that another condition on the same label excludes, and two conditions
 * of one kind that no value meets. Looks at no other rule. Answers null, too, once `budget` is used up.
 */
export function neverMatches(rule: ReleaseRule, budget: ComparisonBudget): string | null {
  if (rule.percentage?.percent === 0) return "its percentage is 0";
  const conditions: RuleCondition[] = [
    ...Object.entries(rule.labels).map(([label, value]) => ({ label, op: "in" as const, values: [value] })),
    ...(rule.when ?? []),
  ];
  const byLabel = Map.groupBy(conditions, ({ label }) => label);
  const by = rule.percentage?.by;
  for (const [label, group] of byLabel) {
    const absent = group.some(({ op, values }) => op === "exists" && values[0] === "false");
    if (absent && (by === label || group.some(needsLabel)))
      return `label ${label} must be there and must not`;
    if (contradict(group, budget)) return `no value of label ${label} meets all of its conditions`;
  }
  return null;
}

function contradict(group: readonly RuleCondition[], budget: ComparisonBudget): boolean {
  const exact = group.find(({ op }) => op === "in");
  if (exact !== undefined) return excludesAll(exact, group, budget);
  const [gt, lt] = (["gt", "lt"] as const).map((op) => tightest(group, op));
  if (gt && lt && compareDecimals(gt, lt) >= 0) return true;
  const itself = (value: string): string[] => [value];
  const versions = parsedOf(group, "semver", (value) => parseSemverRange(value) ?? []);
  return (
    versions.some((intervals) => intervals.every((interval) => !intervalsMeet(interval, interval))) ||
    pairContradicts(versions, intervalsMeet, budget) ||
    pairContradicts(parsedOf(group, "prefix", itself), prefixesMeet, budget) ||
    pairContradicts(parsedOf(group, "suffix", itself), suffixesMeet, budget) ||
    pairContradicts(
      parsedOf(group, "cidr", (value) => parseIpRange(value) ?? []),
      rangesMeet,
      budget,
    )
  );
}

/** Whether none of the exact values of a label meets the other conditions on it. */
function excludesAll(
  exact: RuleCondition,
  group: readonly RuleCondition[],
  budget: ComparisonBudget,
): boolean {
  const tests: LabelTest[] = [];
  for (const condition of group) {
    if (condition === exact) continue;
    const tries = condition.op === "in" || condition.op === "not_in" ? 1 : condition.values.length;
    budget.left -= condition.values.length + exact.values.length * tries;
    if (budget.left < 0) return false;
    tests.push(prepareCondition(condition, ANY_PATTERN));
  }
  return !exact.values.some((value) => tests.every((test) => test(value)));
}

/** The largest bound of all `gt`, the smallest of all `lt`. */
function tightest(group: readonly RuleCondition[], op: "gt" | "lt"): Decimal | null {
  const side = op === "gt" ? 1 : -1;
  let best: Decimal | null = null;
  for (const [bound] of parsedOf(group, op, (value) => parseDecimal(value) ?? [])) {
    if (bound && (best === null || compareDecimals(bound, best) * side > 0)) best = bound;
  }
  return best;
}

/** For each condition of an operator, all of its values as they are compared. */
function parsedOf<T>(
  group: readonly RuleCondition[],
  op: ConditionOp,
  parse: (value: string) => T | readonly T[],
): T[][] {
  return group.filter((condition) => condition.op === op).map(({ values }) => values.flatMap(parse));
}

/** Whether two conditions have no two values that one label's value could meet together. */
function pairContradicts<T>(
  conditions: readonly T[][],
  meet: (a: T, b: T) => boolean,
  budget: ComparisonBudget,
): boolean {
  return conditions.some((first, i) =>
    conditions.slice(i + 1).some((second) => {
      budget.left -= first.length * second.length;
      return budget.left >= 0 && !first.some((a) => second.some((b) => meet(a, b)));
    }),
  );
}

const prefixesMeet = (a: string, b: string): boolean => a.startsWith(b) || b.startsWith(a);
const suffixesMeet = (a: string, b: string): boolean => a.endsWith(b) || b.endsWith(a);
