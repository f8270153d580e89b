import type { Labels } from "./labels.ts";
import type { PreparedRule, PreparedRules } from "./prepare-rules.ts";

/**
 * The rule a client with `labels` gets, or null when none matches: the first in precedence that holds. Looks only at the
 * rules that one of the client's labels leads to, and at those that need none, so it costs by labels, not by rules.
 * `prepared` must stem from `compileRules` (sorted, indexes ascending).
 */
export function resolveRule(prepared: PreparedRules, labels: Labels): PreparedRule | null {
  const { rules, byName, names, unlabelled, hasNames } = prepared;
  let best = firstThatHolds(rules, unlabelled, rules.length, labels);
  // Names that the rules know are found in the table at no cost; a client's are new texts that have to be interned.
  for (const name of names.length <= labels.size ? names : labels.keys()) {
    const value = labels.get(name);
    const group = value === undefined ? undefined : byName.get(name)?.byValue.get(value);
    if (group !== undefined) best = firstThatHolds(rules, group, best, labels);
  }
  if (hasNames) {
    // Last, when most of them are already behind the best: there may be many, and each has to be tried.
    for (const name of labels.keys()) {
      const group = byName.get(name)?.anyValue;
      if (group !== undefined) best = firstThatHolds(rules, group, best, labels);
    }
  }
  return rules[best] ?? null;
}

/** The first index of `group` before `best` whose rule holds; `best` when there is none. */
function firstThatHolds(
  rules: readonly PreparedRule[],
  group: readonly number[],
  best: number,
  labels: Labels,
): number {
  for (const i of group) {
    if (i >= best) return best;
    const rule = rules[i];
    if (rule !== undefined && holds(rule, labels)) return i;
  }
  return best;
}

function holds({ labels: wanted, tests }: PreparedRule, labels: Labels): boolean {
  for (const [name, value] of wanted) if (labels.get(name) !== value) return false;
  for (const test of tests) if (!test.holds(labels.get(test.label))) return false;
  return true;
}
