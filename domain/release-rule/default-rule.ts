import { countLabels, type ReleaseRule } from "./release-rule.ts";

/** The position of the default rule (no labels, no conditions, no regions; the one of lowest priority); -1 when there is none. */
function defaultPosition(rules: readonly ReleaseRule[]): number {
  let at = -1;
  for (const [i, rule] of rules.entries()) {
    if (countLabels(rule) > 0 || rule.edge !== undefined) continue;
    const lowest = rules[at];
    if (lowest === undefined || rule.priority < lowest.priority) at = i;
  }
  return at;
}

/** The version that the default rule names; null when there is none. */
export function defaultVersion(rules: readonly ReleaseRule[]): number | null {
  return rules[defaultPosition(rules)]?.version_id ?? null;
}

/** Positions of the rules that every client matches and that are tried before the default rule: nobody comes to that one. */
export function positionsOverDefault(rules: readonly ReleaseRule[]): number[] {
  const last = defaultPosition(rules);
  return [...rules.keys()].filter((i) => {
    const rule = rules[i];
    return i !== last && rule !== undefined && countLabels(rule) === 0 && rule.edge === undefined;
  });
}

/**
 * `rules` with their default rule at `versionId`. A new one stands last at priority 0, or at the lowest priority there
 * is when that is negative: it must not shadow any other rule.
 */
export function withDefault(rules: readonly ReleaseRule[], versionId: number): ReleaseRule[] {
  const at = defaultPosition(rules);
  if (at >= 0) return rules.map((rule, i) => (i === at ? { ...rule, version_id: versionId } : rule));
  const priority = rules.reduce((lowest, rule) => Math.min(lowest, rule.priority), 0);
  return [...rules, { labels: {}, version_id: versionId, priority }];
}
