import type { PublishStageInput } from "../../domain/publish/publish-plan.ts";
import type { ReleaseRule, RuleCondition } from "../../domain/release-rule/release-rule.ts";

/** Rules one answer warns of; the rest is counted. */
const BLANK_WARNINGS_MAX = 20;

type Asked = Pick<ReleaseRule, "labels" | "when">;

/**
 * One sentence for each rule that asks for a label's value with a blank at an end. Labels come in headers, whose values
 * HTTP trims (RFC 9110, 5.5), so no client can have it. Said here and not by the log, which keeps its words with the result
 * of a write.
 */
export function warnOfBlanks(rules: readonly Asked[]): string[] {
  const warnings = rules.flatMap((rule, position) => {
    const label = askedBlank(rule);
    return label === null
      ? []
      : [`the rule at ${position} can never match: no header carries the outer blanks of label ${label}`];
  });
  const more = warnings.length - BLANK_WARNINGS_MAX;
  return more <= 0
    ? warnings
    : [...warnings.slice(0, BLANK_WARNINGS_MAX), `${more} more rules can never match for outer blanks`];
}

/** The same of the stages of a plan, those that it comes to later included. */
export function warnOfStageBlanks(stages: readonly Pick<PublishStageInput, "labels">[]): string[] {
  return stages.flatMap(({ labels }, position) => {
    const label = askedBlank({ labels: labels ?? {} });
    return label === null
      ? []
      : [`the stage at ${position} reaches nobody: no header carries the outer blanks of label ${label}`];
  });
}

/** The label that would need a blank at an end; null when there is none. */
function askedBlank({ labels, when = [] }: Asked): string | null {
  const exact = Object.entries(labels).find(([, value]) => value.startsWith(" ") || value.endsWith(" "));
  return exact?.[0] ?? when.find(needsBlank)?.label ?? null;
}

/** Of several values one is enough. */
function needsBlank({ op, values }: RuleCondition): boolean {
  if (values.length === 0) return false;
  const begins = (value: string): boolean => value.startsWith(" ");
  const ends = (value: string): boolean => value.endsWith(" ");
  if (op === "in") return values.every((value) => begins(value) || ends(value));
  return (op === "prefix" && values.every(begins)) || (op === "suffix" && values.every(ends));
}
