import type { ReleaseRule } from "./release-rule.ts";

/** A rule in matching order. `position` is its place in the list the admin wrote. */
export interface CompiledRule {
  position: number;
  version_id: number;
  /** Lower-case label names and exact values, as pairs. */
  labels: [string, string][];
}

/**
 * Rules of one region, sorted by precedence (priority, then more labels, then position) and indexed by one label of
 * each, so that the cost of a match grows with the client's labels and not with the number of rules.
 */
export interface CompiledRules {
  rules: CompiledRule[];
  /** `name\u0000value` of a rule's pivot label -> ascending indexes into `rules`. */
  by_label: Record<string, number[]>;
  /** Indexes of the rules without labels. */
  unlabelled: number[];
}

/** Compiles `rules` for a region; `region: null` keeps only rules without a region condition. */
export function compileRules(rules: readonly ReleaseRule[], region: string | null): CompiledRules {
  const compiled = rules
    .map((rule, position) => ({ rule, position }))
    .filter(({ rule }) => !rule.edge || (region !== null && rule.edge.regions.includes(region)))
    .toSorted((a, b) => comparePrecedence(a.rule, b.rule) || a.position - b.position)
    .map(({ rule, position }) => ({
      position,
      version_id: rule.version_id,
      labels: Object.entries(rule.labels),
    }));
  const byLabel = new Map<string, number[]>();
  const unlabelled: number[] = [];
  for (const [i, rule] of compiled.entries()) {
    const pivot = rule.labels[0];
    if (pivot === undefined) unlabelled.push(i);
    else byLabel.set(labelKey(...pivot), [...(byLabel.get(labelKey(...pivot)) ?? []), i]);
  }
  return { rules: compiled, by_label: Object.fromEntries(byLabel), unlabelled };
}

/** Negative when `a` is tried before `b` (positions aside). */
export function comparePrecedence(a: ReleaseRule, b: ReleaseRule): number {
  return b.priority - a.priority || Object.keys(b.labels).length - Object.keys(a.labels).length;
}

export const labelKey = (name: string, value: string): string => `${name}\u0000${value}`;
