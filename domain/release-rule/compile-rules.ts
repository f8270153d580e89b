import { bucketsBelow, needsLabel } from "./prepare-condition.ts";
import { countLabels, type ReleaseRule, type RuleCondition } from "./release-rule.ts";

/** The share of a rule: clients whose value of label `by` falls into a bucket under `below`. */
export interface CompiledPercentage {
  by: string;
  /** 0 to 10,000. */
  below: number;
  salt: string;
}

/** A rule in matching order. `position` is its place in the list the admin wrote. */
export interface CompiledRule {
  position: number;
  version_id: number;
  /** Lower-case label names and exact values, as pairs in the order of the names; `in` with one value is one of them. */
  labels: [string, string][];
  when: RuleCondition[];
  percentage: CompiledPercentage | null;
}

/**
 * Rules of one region, sorted by precedence (priority, then more labels, then position) and indexed by one label of
 * each, so that the cost of a match grows with the client's labels and not with the number of rules. A rule is in one of
 * the three indexes, under the condition that the fewest rules share.
 */
export interface CompiledRules {
  rules: CompiledRule[];
  /** `name\u0000value` of a label that must be so (or one of the values of `in`) -> ascending indexes into `rules`. */
  by_label: Record<string, number[]>;
  /** Name of a label that must be there, whatever it is -> ascending indexes of rules that no value leads to. */
  by_name: Record<string, number[]>;
  /** Indexes of the rules that a client without any label might match, ascending. */
  unlabelled: number[];
}

/** Every field of a rule that a build knows; compiling refuses others, which would restrict a rule unseen. */
const RULE_FIELDS: ReadonlySet<string> = new Set<keyof ReleaseRule>([
  "labels",
  "version_id",
  "priority",
  "when",
  "percentage",
  "edge",
  "publish_id",
]);

export interface CompileRulesInput {
  rules: readonly ReleaseRule[];
  /** Null keeps only rules without a region condition. */
  region: string | null;
  /** The salt of percentages that name none. */
  configId: string;
}

/** Compiles rules for a region. Throws a `RangeError` for a rule with a field that this build does not know. */
export function compileRules({ rules, region, configId }: CompileRulesInput): CompiledRules {
  const compiled = rules
    .map((rule, position) => ({ rule, position }))
    .filter(({ rule }) => appliesInRegion(rule, region))
    .toSorted((a, b) => comparePrecedence(a.rule, b.rule) || a.position - b.position)
    .map(({ rule, position }) => compileRule(rule, position, configId));
  const [byValue, byName] = countAsked(compiled);
  const index = { by_label: new Map<string, number[]>(), by_name: new Map<string, number[]>() };
  const unlabelled: number[] = [];
  const put = (group: Map<string, number[]>, key: string, i: number): void => {
    const list = group.get(key);
    if (list === undefined) group.set(key, [i]);
    else list.push(i);
  };
  for (const [i, rule] of compiled.entries()) {
    const keys = rarest(valueKeys(rule), byValue);
    const name = rarest(
      neededNames(rule).map((needed) => [needed]),
      byName,
    )?.[0];
    if (keys !== null) for (const key of keys) put(index.by_label, key, i);
    else if (name !== undefined) put(index.by_name, name, i);
    else unlabelled.push(i);
  }
  return {
    rules: compiled,
    by_label: Object.fromEntries(index.by_label),
    by_name: Object.fromEntries(index.by_name),
    unlabelled,
  };
}

/** Whether a rule's trusted region condition holds; a rule without one applies everywhere. */
export function appliesInRegion(rule: ReleaseRule, region: string | null): boolean {
  return !rule.edge || (region !== null && rule.edge.regions.includes(region));
}

/** Negative when `a` is tried before `b` (positions aside). */
export function comparePrecedence(a: ReleaseRule, b: ReleaseRule): number {
  return b.priority - a.priority || countLabels(b) - countLabels(a);
}

export const labelKey = (name: string, value: string): string => `${name}\u0000${value}`;

function compileRule(rule: ReleaseRule, position: number, configId: string): CompiledRule {
  const unknown = Object.keys(rule).find((field) => !RULE_FIELDS.has(field));
  if (unknown !== undefined) {
    throw new RangeError(`the rule at ${position} has the field ${unknown}, which this build does not know`);
  }
  const labels = new Map<string, [string, string]>();
  const add = (name: string, value: string): void => void labels.set(labelKey(name, value), [name, value]);
  for (const [name, value] of Object.entries(rule.labels)) add(name, value);
  const when: RuleCondition[] = [];
  for (const { label, op, values } of rule.when ?? []) {
    const [only] = values;
    if (op === "in" && values.length === 1 && only !== undefined) add(label, only);
    else when.push({ label, op, values });
  }
  const { percentage } = rule;
  return {
    position,
    version_id: rule.version_id,
    labels: [...labels.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, pair]) => pair),
    when,
    percentage: percentage
      ? { by: percentage.by, below: bucketsBelow(percentage.percent), salt: percentage.salt ?? configId }
      : null,
  };
}

/** The ways to find a rule by a value: each is the keys of one condition, and a client who matches has one of them. */
function valueKeys({ labels, when }: CompiledRule): string[][] {
  return [
    ...labels.map((pair) => [labelKey(...pair)]),
    ...when
      .filter(({ op }) => op === "in")
      .map(({ label, values }) => values.map((value) => labelKey(label, value))),
  ];
}

/** Names of labels that a client who matches must have. */
function neededNames({ when, percentage }: CompiledRule): string[] {
  const names = when.filter(needsLabel).map(({ label }) => label);
  return percentage === null ? names : [...names, percentage.by];
}

/** How many rules ask for each value, and for each name. */
function countAsked(
  rules: readonly CompiledRule[],
): [byValue: Map<string, number>, byName: Map<string, number>] {
  const counts: [Map<string, number>, Map<string, number>] = [new Map(), new Map()];
  for (const rule of rules) {
    for (const [i, keys] of [valueKeys(rule).flat(), neededNames(rule)].entries()) {
      const count = counts[i];
      for (const key of keys) count?.set(key, (count.get(key) ?? 0) + 1);
    }
  }
  return counts;
}

/** The first of several ways whose most wanted key the fewest rules share; null when there is no way. */
function rarest(ways: readonly string[][], askedFor: ReadonlyMap<string, number>): string[] | null {
  let best: string[] | null = null;
  let fewest = Infinity;
  for (const way of ways) {
    let most = 0;
    for (const key of way) most = Math.max(most, askedFor.get(key) ?? 0);
    if (most < fewest) [best, fewest] = [way, most];
  }
  return best;
}
