import type { FieldError } from "../command/command-error.ts";
import { isConfigName, NAME_RULE } from "../config/config-name.ts";
import {
  LABELS_MAX,
  PRIORITY_ABS_MAX,
  RULE_PATTERNS_MAX,
  RULE_REGIONS_MAX,
  RULE_VALUES_MAX,
  RULES_MAX,
} from "../limits.ts";
import { checkConditions } from "./check-conditions.ts";
import { checkLabelName, checkLabelValue } from "./check-label.ts";
import { listPatterns, type ReleaseRule } from "./release-rule.ts";
import { warnOfRules } from "./warn-of-rules.ts";

/** Errors listed for one refusal: a list of ten thousand wrong rules needs no ten thousand messages. */
const RULE_ERRORS_MAX = 50;

export type CheckedRules =
  | { ok: true; rules: ReleaseRule[]; warnings: string[] }
  | { ok: false; errors: FieldError[] };

/**
 * Checks a whole list of release rules (C4) and answers it as it is to be stored: label names in lower case, regions
 * and values without repetition. Refused: a missing version, anything over its limit, a value that is none for its
 * operator, two rules that ask the same at one priority. Warned of: a rule that can never match.
 * `pathPrefix` is the JSON pointer of the list in the request's body.
 */
export function checkRules(input: {
  rules: readonly ReleaseRule[];
  pathPrefix: string;
  versionExists: (versionId: number) => boolean;
  /** What is said of a version that does not exist. */
  sayMissing?: (versionId: number) => string;
}): CheckedRules {
  const { rules, pathPrefix } = input;
  if (rules.length > RULES_MAX) {
    return {
      ok: false,
      errors: [{ path: pathPrefix, message: `at most ${RULES_MAX} rules, got ${rules.length}` }],
    };
  }
  const errors: FieldError[] = [];
  checkTotals(rules, pathPrefix, errors);
  if (errors.length > 0) return { ok: false, errors };
  const known = new Map<number, boolean>();
  const stored = rules.map((rule, i) => {
    const path = `${pathPrefix}/${i}`;
    const exists = known.get(rule.version_id) ?? input.versionExists(rule.version_id);
    known.set(rule.version_id, exists);
    if (!exists) {
      const message = input.sayMissing?.(rule.version_id) ?? `no version ${rule.version_id}`;
      errors.push({ path: `${path}/version_id`, message });
    }
    if (!Number.isInteger(rule.priority) || Math.abs(rule.priority) > PRIORITY_ABS_MAX) {
      errors.push({ path: `${path}/priority`, message: `an integer within ±${PRIORITY_ABS_MAX}` });
    }
    const { when: _when, percentage: _percentage, ...rest } = rule;
    const labels = checkLabels(rule, path, errors);
    return withEdge({ ...rest, labels, ...checkConditions(rule, path, errors) }, path, errors);
  });
  findDuplicates(stored, pathPrefix, errors);
  if (errors.length > 0) return { ok: false, errors: errors.slice(0, RULE_ERRORS_MAX) };
  return { ok: true, rules: stored, warnings: warnOfRules(stored) };
}

/** What a list may hold in all, before its parts are looked at one by one. */
function checkTotals(rules: readonly ReleaseRule[], path: string, errors: FieldError[]): void {
  let values = 0;
  for (const { when = [] } of rules) for (const condition of when) values += condition.values.length;
  if (values > RULE_VALUES_MAX) {
    errors.push({ path, message: `at most ${RULE_VALUES_MAX} values in all conditions, got ${values}` });
  }
  const patterns = listPatterns(rules).size;
  if (patterns > RULE_PATTERNS_MAX) {
    const message = `at most ${RULE_PATTERNS_MAX} different regular expressions, got ${patterns}`;
    errors.push({ path, message });
  }
}

function checkLabels(rule: ReleaseRule, path: string, errors: FieldError[]): Record<string, string> {
  const entries = Object.entries(rule.labels);
  if (entries.length > LABELS_MAX)
    errors.push({ path: `${path}/labels`, message: `at most ${LABELS_MAX} labels` });
  const seen = new Map<string, string>();
  for (const [name, value] of entries) {
    const at = `${path}/labels/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const lower = checkLabelName(name, at, errors);
    checkLabelValue(value, at, errors);
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

function findDuplicates(rules: readonly ReleaseRule[], pathPrefix: string, errors: FieldError[]): void {
  const firstBy = new Map<string, number>();
  for (const [i, rule] of rules.entries()) {
    const labels = Object.entries(rule.labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const when = rule.when?.map(({ label, op, values }) => JSON.stringify([label, op, values.toSorted()]));
    const { by, percent, salt } = rule.percentage ?? {};
    const regions = rule.edge?.regions.toSorted() ?? null;
    const key = JSON.stringify([labels, when?.toSorted(), by, percent, salt, regions, rule.priority]);
    const first = firstBy.get(key);
    if (first === undefined) firstBy.set(key, i);
    else {
      errors.push({
        path: `${pathPrefix}/${i}`,
        message: `the same labels, conditions, regions and priority as the rule at ${first}`,
      });
    }
  }
}
