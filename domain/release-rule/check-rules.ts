import type { FieldError } from "../command/command-error.ts";
import { isConfigName, NAME_RULE } from "../config/config-name.ts";
import {
  LABEL_NAME_BYTES_MAX,
  LABEL_VALUE_BYTES_MAX,
  LABELS_MAX,
  PRIORITY_ABS_MAX,
  RULE_COMPARISONS_MAX,
  RULE_REGIONS_MAX,
  RULE_WARNINGS_MAX,
  RULES_MAX,
} from "../limits.ts";
import { utf8Length } from "../utf8-length.ts";
import { comparePrecedence, labelKey } from "./compile-rules.ts";
import type { ReleaseRule } from "./release-rule.ts";

/** What may stand in a header's name (RFC 9110 token), lower case: labels arrive as `X-Client-Label-{Name}`. */
const LABEL_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
/** Errors listed for one refusal: a list of ten thousand wrong rules needs no ten thousand messages. */
const RULE_ERRORS_MAX = 50;

export type CheckedRules =
  | { ok: true; rules: ReleaseRule[]; warnings: string[] }
  | { ok: false; errors: FieldError[] };

/**
 * Checks a whole list of release rules (C4) and answers it as it is to be stored: label names in lower case, regions
 * without repetition. Refused: a missing version, a label or list over its limit, two rules with the same labels,
 * regions and priority. Warned of: a rule that can never match because one tried before it covers it.
 * `pathPrefix` is the JSON pointer of the list in the request's body.
 */
export function checkRules(input: {
  rules: readonly ReleaseRule[];
  pathPrefix: string;
  versionExists: (versionId: number) => boolean;
}): CheckedRules {
  const { rules, pathPrefix } = input;
  if (rules.length > RULES_MAX) {
    return {
      ok: false,
      errors: [{ path: pathPrefix, message: `at most ${RULES_MAX} rules, got ${rules.length}` }],
    };
  }
  const errors: FieldError[] = [];
  const known = new Map<number, boolean>();
  const stored = rules.map((rule, i) => {
    const path = `${pathPrefix}/${i}`;
    const exists = known.get(rule.version_id) ?? input.versionExists(rule.version_id);
    known.set(rule.version_id, exists);
    if (!exists) errors.push({ path: `${path}/version_id`, message: `no version ${rule.version_id}` });
    if (!Number.isInteger(rule.priority) || Math.abs(rule.priority) > PRIORITY_ABS_MAX) {
      errors.push({ path: `${path}/priority`, message: `an integer within ±${PRIORITY_ABS_MAX}` });
    }
    return withEdge({ ...rule, labels: checkLabels(rule, path, errors) }, path, errors);
  });
  findDuplicates(stored, pathPrefix, errors);
  if (errors.length > 0) return { ok: false, errors: errors.slice(0, RULE_ERRORS_MAX) };
  return { ok: true, rules: stored, warnings: warnOfCovered(stored) };
}

function checkLabels(rule: ReleaseRule, path: string, errors: FieldError[]): Record<string, string> {
  const entries = Object.entries(rule.labels);
  if (entries.length > LABELS_MAX)
    errors.push({ path: `${path}/labels`, message: `at most ${LABELS_MAX} labels` });
  const seen = new Map<string, string>();
  for (const [name, value] of entries) {
    const at = `${path}/labels/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const lower = name.toLowerCase();
    if (!LABEL_NAME.test(lower) || lower.length > LABEL_NAME_BYTES_MAX) {
      errors.push({
        path: at,
        message: `a label name is 1-${LABEL_NAME_BYTES_MAX} of the characters A-Z a-z 0-9 ! # $ % & ' * + - . ^ _ \` | ~`,
      });
    }
    if (utf8Length(value) > LABEL_VALUE_BYTES_MAX || hasControl(value)) {
      errors.push({
        path: at,
        message: `a label value has at most ${LABEL_VALUE_BYTES_MAX} bytes and no control characters`,
      });
    }
    if (seen.has(lower)) errors.push({ path: at, message: "the same label twice: names ignore case" });
    seen.set(lower, value);
  }
  return Object.fromEntries(seen);
}

function withEdge(rule: ReleaseRule, path: string, errors: FieldError[]): ReleaseRule {
  if (rule.edge === undefined) {
    const { edge: _edge, ...rest } = rule;
    return rest;
  }
  const regions = [...new Set(rule.edge.regions)];
  if (regions.length === 0 || regions.length > RULE_REGIONS_MAX) {
    errors.push({ path: `${path}/edge/regions`, message: `1-${RULE_REGIONS_MAX} names of regions` });
  }
  const wrong = regions.find((region) => !isConfigName(region));
  if (wrong !== undefined) {
    const message = `${JSON.stringify(wrong)} is no name of a region: ${NAME_RULE}`;
    errors.push({ path: `${path}/edge/regions`, message });
  }
  return { ...rule, edge: { regions } };
}

function hasControl(value: string): boolean {
  for (let i = 0; i < value.length; i += 1) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

function findDuplicates(rules: readonly ReleaseRule[], pathPrefix: string, errors: FieldError[]): void {
  const firstBy = new Map<string, number>();
  for (const [i, rule] of rules.entries()) {
    const labels = Object.entries(rule.labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify([labels, rule.edge?.regions.toSorted() ?? null, rule.priority]);
    const first = firstBy.get(key);
    if (first === undefined) firstBy.set(key, i);
    else {
      errors.push({
        path: `${pathPrefix}/${i}`,
        message: `the same labels, regions and priority as the rule at ${first}`,
      });
    }
  }
}

/**
 * One sentence for each rule that can never match. A rule covers another when it is tried first, asks for a subset of
 * its labels and holds in all of its regions. Each covering rule is looked up by its rarest label, so that the usual
 * long list costs little; the number of comparisons is bounded all the same.
 */
function warnOfCovered(rules: readonly ReleaseRule[]): string[] {
  const count = new Map<string, number>();
  const keysOf = rules.map((rule) => Object.entries(rule.labels).map((pair) => labelKey(...pair)));
  for (const key of keysOf.flat()) count.set(key, (count.get(key) ?? 0) + 1);
  const order = rules
    .map((rule, i) => ({ rule, i }))
    .toSorted((a, b) => comparePrecedence(a.rule, b.rule) || a.i - b.i)
    .map(({ i }) => i);
  const byPivot = new Map<string, number[]>();
  const warnings: string[] = [];
  let covered = 0;
  let budget = RULE_COMPARISONS_MAX;
  for (const i of order) {
    const keys = new Set(keysOf[i]);
    const candidates = ["", ...keys].flatMap((key) => byPivot.get(key) ?? []);
    budget -= candidates.length;
    if (budget < 0) {
      warnings.push("the list is too long to look for every rule that can never match");
      break;
    }
    const cover = candidates.find((c) => covers(rules[c], keysOf[c] ?? [], rules[i], keys));
    if (cover !== undefined) {
      covered += 1;
      if (covered <= RULE_WARNINGS_MAX) {
        warnings.push(`the rule at ${i} can never match: the rule at ${cover} is tried first and covers it`);
      }
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
  if (covered > RULE_WARNINGS_MAX) warnings.push(`${covered - RULE_WARNINGS_MAX} more rules can never match`);
  return warnings;
}

function covers(
  first: ReleaseRule | undefined,
  firstKeys: readonly string[],
  later: ReleaseRule | undefined,
  laterKeys: ReadonlySet<string>,
): boolean {
  if (first === undefined || later === undefined) return false;
  if (first.edge !== undefined) {
    const regions = first.edge.regions;
    if (later.edge === undefined || !later.edge.regions.every((r) => regions.includes(r))) return false;
  }
  return firstKeys.every((key) => laterKeys.has(key));
}
