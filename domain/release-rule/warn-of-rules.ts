import { RULE_COMPARISONS_MAX, RULE_WARNINGS_MAX } from "../limits.ts";
import { comparePrecedence, labelKey } from "./compile-rules.ts";
import { type ComparisonBudget, neverMatches } from "./never-matches.ts";
import type { ReleaseRule } from "./release-rule.ts";

/**
 * One sentence for each rule that can never match: because what it asks contradicts itself (`neverMatches`), or because a
 * rule covers it, that is, is tried first, asks for a part of what it asks and holds in all of its regions. The number of
 * comparisons is bounded, and a sentence says so when the bound was met.
 */
export function warnOfRules(rules: readonly ReleaseRule[]): string[] {
  const budget: ComparisonBudget = { left: RULE_COMPARISONS_MAX };
  const impossible = rules.map((rule) => neverMatches(rule, budget));
  const reasons = impossible.flatMap((why, i) => (why === null ? [] : [{ i, why }]));
  if (budget.left >= 0) {
    const possible = [...rules.keys()].filter((i) => impossible[i] === null);
    for (const { i, cover } of findCovered(rules, possible, budget)) {
      reasons.push({ i, why: `the rule at ${cover} is tried first and covers it` });
    }
  }
  const warnings = reasons
    .slice(0, RULE_WARNINGS_MAX)
    .map(({ i, why }) => `the rule at ${i} can never match: ${why}`);
  const more = reasons.length - RULE_WARNINGS_MAX;
  if (more > 0) warnings.push(`${more} more rules can never match`);
  if (budget.left < 0) warnings.push("the list is too long to look for every rule that can never match");
  return warnings;
}

/**
 * The rules that another one covers, in the order in which rules are tried. Each covering rule is looked up by its rarest
 * condition, so that the usual long list costs little.
 */
function findCovered(
  rules: readonly ReleaseRule[],
  positions: readonly number[],
  budget: ComparisonBudget,
): { i: number; cover: number }[] {
  const count = new Map<string, number>();
  const keysOf = rules.map(conditionKeys);
  for (const i of positions) {
    for (const key of keysOf[i] ?? []) count.set(key, (count.get(key) ?? 0) + 1);
  }
  const order = positions
    .flatMap((i) => rules[i] ?? [])
    .map((rule, at) => ({ rule, i: positions[at] ?? 0 }))
    .toSorted((a, b) => comparePrecedence(a.rule, b.rule) || a.i - b.i);
  const byPivot = new Map<string, number[]>();
  const covered: { i: number; cover: number }[] = [];
  for (const { rule, i } of order) {
    const keys = new Set(keysOf[i]);
    const candidates = ["", ...keys].flatMap((key) => byPivot.get(key) ?? []);
    budget.left -= candidates.length;
    if (budget.left < 0) break;
    const cover = candidates.find((c) => covers(rules[c], keysOf[c] ?? [], rule, keys));
    if (cover !== undefined) {
      covered.push({ i, cover });
      continue;
    }
    const pivot = (keysOf[i] ?? []).reduce<string>(
      (best, key) => (best === "" || (count.get(key) ?? 0) < (count.get(best) ?? 0) ? key : best),
      "",
    );
    const list = byPivot.get(pivot);
    if (list === undefined) byPivot.set(pivot, [i]);
    else list.push(i);
  }
  return covered;
}

/** What a rule asks of labels, a text each; equal texts ask the same. A percentage is compared by itself. */
function conditionKeys({ labels, when = [] }: ReleaseRule): string[] {
  return [
    ...Object.entries(labels).map((pair) => labelKey(...pair)),
    ...when.map(({ label, op, values }) =>
      op === "in" && values.length === 1
        ? labelKey(label, values[0] ?? "")
        : JSON.stringify([label, op, values.toSorted()]),
    ),
  ];
}

function covers(
  first: ReleaseRule | undefined,
  firstKeys: readonly string[],
  later: ReleaseRule,
  laterKeys: ReadonlySet<string>,
): boolean {
  if (first === undefined) return false;
  if (first.edge !== undefined) {
    const { regions } = first.edge;
    if (later.edge === undefined || !later.edge.regions.every((r) => regions.includes(r))) return false;
  }
  if (first.percentage !== undefined) {
    const { by, salt, percent } = first.percentage;
    const other = later.percentage;
    if (other === undefined || other.by !== by || other.salt !== salt || other.percent > percent)
      return false;
  }
  return firstKeys.every((key) => laterKeys.has(key));
}
