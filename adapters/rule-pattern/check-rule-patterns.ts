import type { FieldError } from "../../domain/command/command-error.ts";
import {
  PATTERN_BYTES_MAX,
  PATTERN_INSTRUCTIONS_MAX,
  RULE_PATTERN_INSTRUCTIONS_MAX,
  RULE_PATTERNS_MAX,
} from "../../domain/limits.ts";
import { listPatterns, type ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import { utf8Length } from "../../domain/utf8-length.ts";
import { readRulePattern } from "./compile-rule-pattern.ts";

/** Errors listed for one list. */
const PATTERN_ERRORS_MAX = 20;

/**
 * What is wrong with the regular expressions of rules: no RE2, or too large for an edge to hold. Their number and their
 * lengths are for `checkRules`, which refuses what is over a limit; that is not compiled here. `pathPrefix` is the JSON
 * pointer of the list.
 */
export function checkRulePatterns(
  rules: readonly Pick<ReleaseRule, "when">[],
  pathPrefix: string,
): FieldError[] {
  if (listPatterns(rules).size > RULE_PATTERNS_MAX) return [];
  const errors: FieldError[] = [];
  const seen = new Map<string, string | null>();
  let instructions = 0;
  for (const { path, source } of locatePatterns(rules, pathPrefix)) {
    let fault = seen.get(source);
    if (fault === undefined) {
      const checked = checkPattern(source);
      fault = checked.fault;
      instructions += checked.instructions;
      seen.set(source, fault);
    }
    if (fault !== null && errors.length < PATTERN_ERRORS_MAX) errors.push({ path, message: fault });
  }
  if (errors.length === 0 && instructions > RULE_PATTERN_INSTRUCTIONS_MAX) {
    const message = `the regular expressions make ${instructions} instructions, at most ${RULE_PATTERN_INSTRUCTIONS_MAX} together`;
    errors.push({ path: pathPrefix, message });
  }
  return errors;
}

function checkPattern(source: string): { fault: string | null; instructions: number } {
  if (utf8Length(source) > PATTERN_BYTES_MAX) return { fault: null, instructions: 0 };
  const read = readRulePattern(source);
  if (!read.ok) return { fault: `no RE2 syntax: ${read.message}`, instructions: 0 };
  const { instructions } = read;
  if (instructions <= PATTERN_INSTRUCTIONS_MAX) return { fault: null, instructions };
  const fault = `it repeats too much: ${instructions} instructions, at most ${PATTERN_INSTRUCTIONS_MAX}`;
  return { fault, instructions: 0 };
}

function* locatePatterns(
  rules: readonly Pick<ReleaseRule, "when">[],
  pathPrefix: string,
): Generator<{ path: string; source: string }> {
  for (const [r, { when = [] }] of rules.entries()) {
    for (const [c, { op, values }] of when.entries()) {
      if (op !== "regex") continue;
      for (const [v, source] of values.entries()) {
        yield { path: `${pathPrefix}/${r}/when/${c}/values/${v}`, source };
      }
    }
  }
}
