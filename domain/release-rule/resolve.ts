import { type CompiledRule, type CompiledRules, labelKey } from "./compile-rules.ts";

/**
 * The rule a client with `labels` gets, or null when none matches: the first in precedence whose labels are all among
 * the client's. Looks only at the rules indexed under one of the client's labels, so it costs by labels, not by rules.
 * `labels`: lower-case names, exact values. `compiled` must stem from `compileRules` (sorted, indexes ascending).
 */
export function resolveRule(
  compiled: CompiledRules,
  labels: ReadonlyMap<string, string>,
): CompiledRule | null {
  const { rules, by_label: byLabel, unlabelled } = compiled;
  let best = unlabelled[0] ?? rules.length;
  for (const [name, value] of labels) {
    // A key holds a NUL, so that no label can reach a property of Object.prototype.
    const candidates = byLabel[labelKey(name, value)];
    if (candidates === undefined) continue;
    for (const i of candidates) {
      if (i >= best) break;
      const rule = rules[i];
      if (rule !== undefined && hasAll(labels, rule.labels)) best = i;
    }
  }
  return rules[best] ?? null;
}

function hasAll(labels: ReadonlyMap<string, string>, wanted: readonly [string, string][]): boolean {
  for (const [name, value] of wanted) if (labels.get(name) !== value) return false;
  return true;
}
