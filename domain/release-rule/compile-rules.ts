import type { ReleaseRule } from "./release-rule.ts";

/** A rule in matching order. `position` is its place in the list the admin wrote. */
export interface CompiledRule {
  position: number;
  version_id: number;
  /** Lower-case label names and exact values, as pairs in the order of the names. */
  labels: [string, string][];
}

/**
 * Rules of one region, sorted by precedence (priority, then more labels, then position) and indexed by one label of
 * each, so that the cost of a match grows with the client's labels and not with the number of rules.
 */
export interface CompiledRules {
  rules: CompiledRule[];
  /** `name\u0000value` of a rule's pivot label (the one fewest rules ask for) -> ascending indexes into `rules`. */
  by_label: Record<string, number[]>;
  /** Indexes of the rules without labels, ascending. */
  unlabelled: number[];
}

/** Compiles `rules` for a region; `region: null` keeps only rules without a region condition. */
export function compileRules(rules: readonly ReleaseRule[], region: string | null): CompiledRules {
  const compiled = rules
    .map((rule, position) => ({ rule, position }))
    .filter(({ rule }) => appliesInRegion(rule, region))
    .toSorted((a, b) => comparePrecedence(a.rule, b.rule) || a.position - b.position)
    .map(({ rule, position }) => ({
      position,
      version_id: rule.version_id,
      labels: Object.entries(rule.labels).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    }));
  const askedFor = countLabels(compiled);
  const byLabel = new Map<string, number[]>();
  const unlabelled: number[] = [];
  for (const [i, rule] of compiled.entries()) {
    const pivot = rarestLabel(rule, askedFor);
    const group = pivot === null ? unlabelled : byLabel.get(pivot);
    if (group !== undefined) group.push(i);
    else if (pivot !== null) byLabel.set(pivot, [i]);
  }
  return { rules: compiled, by_label: Object.fromEntries(byLabel), unlabelled };
}

/** Whether a rule's trusted region condition holds; a rule without one applies everywhere. */
export function appliesInRegion(rule: ReleaseRule, region: string | null): boolean {
  return !rule.edge || (region !== null && rule.edge.regions.includes(region));
}

/** Negative when `a` is tried before `b` (positions aside). */
export function comparePrecedence(a: ReleaseRule, b: ReleaseRule): number {
  return b.priority - a.priority || Object.keys(b.labels).length - Object.keys(a.labels).length;
}

export const labelKey = (name: string, value: string): string => `${name}\u0000${value}`;

function countLabels(rules: readonly CompiledRule[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { labels } of rules) {
    for (const [name, value] of labels) {
      counts.set(labelKey(name, value), (counts.get(labelKey(name, value)) ?? 0) + 1);
    }
  }
  return counts;
}

/** The first of a rule's labels that the fewest rules ask for; null for a rule without labels. */
function rarestLabel(rule: CompiledRule, askedFor: ReadonlyMap<string, number>): string | null {
  let rarest: string | null = null;
  let fewest = Infinity;
  for (const [name, value] of rule.labels) {
    const count = askedFor.get(labelKey(name, value)) ?? 0;
    if (count < fewest) [rarest, fewest] = [labelKey(name, value), count];
  }
  return rarest;
}
