import { appliesInRegion, compileRules } from "./compile-rules.ts";
import type { Labels } from "./labels.ts";
import {
  bucketsBelow,
  type PatternCompiler,
  prepareBucket,
  prepareCondition,
  wantsPresence,
} from "./prepare-condition.ts";
import { prepareRules } from "./prepare-rules.ts";
import type { ReleaseRule, RuleCondition } from "./release-rule.ts";
import { resolveRule } from "./resolve.ts";

/** Values of a condition that a reason lists; the rest is counted. */
const LISTED_VALUES_MAX = 10;

/** Why one rule of the admin's list decided, or did not. */
export interface RuleTrace {
  rule: ReleaseRule;
  /** Place in the list the admin wrote. */
  position: number;
  /** True for the one rule that decides. */
  matched: boolean;
  /** One sentence for people; null for the rule that decides. */
  why_not: string | null;
  /** The client's bucket, 0 to 9,999, in the rule's percentage; null when it has none or the client lacks its label. */
  bucket: number | null;
}

export interface Explanation {
  /** The rule that decides, or null when the client gets nothing. */
  winner: { rule: ReleaseRule; position: number } | null;
  /** Every rule, in the order the admin wrote them. */
  trace: RuleTrace[];
}

export interface ExplainInput {
  rules: readonly ReleaseRule[];
  labels: Labels;
  /** The trusted region the request would arrive in; null for none of ours. */
  region: string | null;
  configId: string;
}

/**
 * What a client with `labels` in `region` gets and why (C8). The winner is `resolveRule`'s by construction: the
 * simulator runs the code the edge runs and only then looks for reasons, with the same tests.
 */
export function explainRules(input: ExplainInput, compile: PatternCompiler): Explanation {
  const { rules, labels } = input;
  const compilePattern = askOnce(compile);
  const winning = resolveRule(prepareRules(compileRules(input), compilePattern), labels)?.position ?? null;
  const winner = winning === null ? undefined : rules[winning];
  const trace = rules.map((rule, position): RuleTrace => {
    const bucket = bucketOf(rule, input);
    if (position === winning) return { rule, position, matched: true, why_not: null, bucket };
    const why =
      unmetCondition(rule, input, bucket, compilePattern) ?? `the rule at position ${winning} comes first`;
    return { rule, position, matched: false, why_not: why, bucket };
  });
  return { winner: winner && winning !== null ? { rule: winner, position: winning } : null, trace };
}

/** Many rules may name one pattern, and all are asked for their reason: each pattern is compiled and tried on a value once. */
function askOnce(compile: PatternCompiler): PatternCompiler {
  const tests = new Map<string, ReturnType<PatternCompiler>>();
  return (source) => {
    const known = tests.get(source);
    if (known !== undefined) return known;
    const test = compile(source);
    const answers = new Map<string, boolean>();
    const remembering =
      test &&
      ((text: string): boolean => {
        const answer = answers.get(text) ?? test(text);
        answers.set(text, answer);
        return answer;
      });
    tests.set(source, remembering);
    return remembering;
  };
}

function bucketOf({ percentage }: ReleaseRule, { labels, configId }: ExplainInput): number | null {
  const value = percentage && labels.get(percentage.by);
  return value === undefined ? null : prepareBucket(percentage?.salt ?? configId)(value);
}

/** The first condition of a rule that does not hold; null when all do. */
function unmetCondition(
  rule: ReleaseRule,
  { labels, region }: ExplainInput,
  bucket: number | null,
  compilePattern: PatternCompiler,
): string | null {
  if (!appliesInRegion(rule, region)) {
    const wanted = rule.edge?.regions.join(", ") ?? "";
    return `region is ${region ?? "none"}, the rule applies in ${wanted || "no region"}`;
  }
  for (const [name, value] of Object.entries(rule.labels)) {
    if (labels.get(name) !== value) return `${isWord(name, labels)}, the rule wants ${JSON.stringify(value)}`;
  }
  for (const condition of rule.when ?? []) {
    if (!prepareCondition(condition, compilePattern)(labels.get(condition.label))) {
      return `${isWord(condition.label, labels)}, the rule wants ${wantsWord(condition)}`;
    }
  }
  const { percentage } = rule;
  if (percentage === undefined) return null;
  const share = `buckets below ${bucketsBelow(percentage.percent)} (${percentage.percent} %)`;
  if (bucket === null) return `label ${percentage.by} is absent, the rule wants ${share} of it`;
  if (bucket < bucketsBelow(percentage.percent)) return null;
  return `label ${percentage.by} is in bucket ${bucket}, the rule wants ${share}`;
}

function isWord(name: string, labels: Labels): string {
  const have = labels.get(name);
  return have === undefined ? `label ${name} is absent` : `label ${name} is ${JSON.stringify(have)}`;
}

/** What a condition asks for, as the end of a sentence. */
function wantsWord(condition: RuleCondition): string {
  const { op, values } = condition;
  const listed = values.slice(0, LISTED_VALUES_MAX).map((value) => JSON.stringify(value));
  const more = values.length - listed.length;
  const list = listed.join(", ") + (more > 0 ? ` or ${more} more` : "");
  switch (op) {
    case "in":
      return `one of ${list}`;
    case "not_in":
      return `none of ${list}`;
    case "exists":
      return wantsPresence(condition) ? "it present" : "it absent";
    case "gt":
      return `a number above ${values.join()}`;
    case "lt":
      return `a number below ${values.join()}`;
    case "prefix":
      return `a beginning of ${list}`;
    case "suffix":
      return `an end of ${list}`;
    case "regex":
      return `a match of ${list}`;
    case "semver":
      return `a version in ${list}`;
    default:
      return `an address in ${list}`;
  }
}
