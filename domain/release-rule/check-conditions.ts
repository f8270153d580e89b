import type { FieldError } from "../command/command-error.ts";
import {
  CONDITION_TRIES_MAX,
  CONDITION_VALUES_MAX,
  CONDITIONS_MAX,
  LABEL_VALUE_BYTES_MAX,
  PATTERN_BYTES_MAX,
} from "../limits.ts";
import { utf8Length } from "../utf8-length.ts";
import { checkLabelName, checkLabelValue, hasControl } from "./check-label.ts";
import { parseDecimal } from "./decimal.ts";
import { parseIpRange } from "./ip-range.ts";
import type { ConditionOp, ReleaseRule, RuleCondition, RulePercentage } from "./release-rule.ts";
import { parseSemverRange } from "./semver-range.ts";

/** What a value of an operator must be, beyond a label's value: null when it is one, else what is accepted. */
const FAULT_BY_OP: Record<ConditionOp, (value: string) => string | null> = {
  in: () => null,
  not_in: () => null,
  prefix: (value) => (value === "" ? "not empty; to ask for any value, use exists" : null),
  suffix: (value) => (value === "" ? "not empty; to ask for any value, use exists" : null),
  // Whether it is RE2 is for the host to say (docs/decisions): what a core accepts must not hang on a library's version.
  regex: (value) =>
    value === "" || utf8Length(value) > PATTERN_BYTES_MAX
      ? `a regular expression of 1-${PATTERN_BYTES_MAX} bytes`
      : null,
  semver: (value) =>
    parseSemverRange(value) === null
      ? "a range of versions such as >=1.2.0 <2.0.0, ^1.4.0, ~2.1 or 3.x"
      : null,
  cidr: (value) =>
    parseIpRange(value) === null ? "an address or a range such as 10.0.0.0/8 or 2001:db8::/32" : null,
  exists: (value) => (value === "true" || value === "false" ? null : 'no value, "true" or "false"'),
  gt: (value) => (parseDecimal(value) === null ? "a decimal number such as 18 or -0.5" : null),
  lt: (value) => (parseDecimal(value) === null ? "a decimal number such as 18 or -0.5" : null),
};

/** How many values an operator takes. */
function countsOf(op: ConditionOp): [min: number, max: number] {
  if (op === "exists") return [0, 1];
  if (op === "gt" || op === "lt") return [1, 1];
  return [1, op === "in" || op === "not_in" ? CONDITION_VALUES_MAX : CONDITION_TRIES_MAX];
}

/**
 * The conditions and the percentage of a rule as they are to be stored: names in lower case, values once. `path` is the
 * rule's; `errors` is told of what is over a limit or no value of its operator. A function of its arguments for good:
 * every build must judge a rule alike, or replicas of the state would part.
 */
export function checkConditions(
  rule: ReleaseRule,
  path: string,
  errors: FieldError[],
): Pick<ReleaseRule, "when" | "percentage"> {
  const when = (rule.when ?? []).map((condition, i) =>
    checkCondition(condition, `${path}/when/${i}`, errors),
  );
  if (when.length > CONDITIONS_MAX) {
    errors.push({ path: `${path}/when`, message: `at most ${CONDITIONS_MAX} conditions` });
  }
  return {
    ...(when.length === 0 ? {} : { when }),
    ...(rule.percentage && { percentage: checkPercentage(rule.percentage, `${path}/percentage`, errors) }),
  };
}

function checkCondition(condition: RuleCondition, path: string, errors: FieldError[]): RuleCondition {
  const { op } = condition;
  const label = checkLabelName(condition.label, `${path}/label`, errors);
  const values = [...new Set(condition.values)];
  const [min, max] = countsOf(op);
  if (values.length < min || values.length > max) {
    const wanted = min === max ? `exactly ${min} value` : `${min}-${max} values`;
    errors.push({ path: `${path}/values`, message: `${op} takes ${wanted}, got ${values.length}` });
  }
  for (const [i, value] of condition.values.entries()) {
    const at = `${path}/values/${i}`;
    if (op !== "regex") checkLabelValue(value, at, errors);
    else if (hasControl(value))
      errors.push({ path: at, message: "control characters are written \\n, \\x1f" });
    const fault = FAULT_BY_OP[op](value);
    if (fault !== null) errors.push({ path: at, message: `expected ${fault}` });
  }
  if (op === "semver") {
    const alternatives = values.reduce((sum, value) => sum + (parseSemverRange(value)?.length ?? 0), 0);
    if (alternatives > CONDITION_TRIES_MAX) {
      const message = `at most ${CONDITION_TRIES_MAX} alternatives in all values, got ${alternatives}`;
      errors.push({ path: `${path}/values`, message });
    }
  }
  return { label, op, values };
}

function checkPercentage(
  { by, percent, salt }: RulePercentage,
  path: string,
  errors: FieldError[],
): RulePercentage {
  const label = checkLabelName(by, `${path}/by`, errors);
  if (!(percent >= 0 && percent <= 100) || Number(percent.toFixed(2)) !== percent) {
    errors.push({ path: `${path}/percent`, message: "0 to 100 with at most two decimals" });
  }
  if (salt === undefined) return { by: label, percent };
  if (salt === "" || utf8Length(salt) > LABEL_VALUE_BYTES_MAX || hasControl(salt)) {
    const message = `1-${LABEL_VALUE_BYTES_MAX} bytes and no control characters; the config's id when left out`;
    errors.push({ path: `${path}/salt`, message });
  }
  return { by: label, percent, salt };
}
