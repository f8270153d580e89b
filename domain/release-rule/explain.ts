import { appliesInRegion, compileRules } from "./compile-rules.ts";
import type { ReleaseRule } from "./release-rule.ts";
import { resolveRule } from "./resolve.ts";

/** Why one rule of the admin's list decided, or did not. */
export interface RuleTrace {
  rule: ReleaseRule;
  /** Place in the list the admin wrote. */
  position: number;
  /** True for the one rule that decides. */
  matched: boolean;
  /** One sentence for people; null for the rule that decides. */
  why_not: string | null;
}

export interface Explanation {
  /** The rule that decides, or null when the client gets nothing. */
  winner: { rule: ReleaseRule; position: number } | null;
  /** Every rule, in the order the admin wrote them. */
  trace: RuleTrace[];
}

export interface ExplainInput {
  rules: readonly ReleaseRule[];
  labels: ReadonlyMap<string, string>;
  /** The trusted region the request would arrive in; null for none of ours. */
  region: string | null;
}

/**
 * What a client with `labels` in `region` gets and why (C8). The winner is `resolveRule`'s by construction: the
 * simulator runs the code the edge runs and only then looks for reasons.
 */
export function explainRules({ rules, labels, region }: ExplainInput): Explanation {
  const winning = resolveRule(compileRules(rules, region), labels)?.position ?? null;
  const winner = winning === null ? undefined : rules[winning];
  const trace = rules.map((rule, position): RuleTrace => {
    if (position === winning) return { rule, position, matched: true, why_not: null };
    const why = unmetCondition(rule, labels, region) ?? `the rule at position ${winning} comes first`;
    return { rule, position, matched: false, why_not: why };
  });
  return { winner: winner && winning !== null ? { rule: winner, position: winning } : null, trace };
}

/** The first condition of a rule that does not hold; null when all do. */
function unmetCondition(
  rule: ReleaseRule,
  labels: ReadonlyMap<string, string>,
  region: string | null,
): string | null {
  if (!appliesInRegion(rule, region)) {
    const wanted = rule.edge?.regions.join(", ") ?? "";
    return `region is ${region ?? "none"}, the rule applies in ${wanted || "no region"}`;
  }
  for (const [name, value] of Object.entries(rule.labels)) {
    const have = labels.get(name);
    if (have === undefined) return `label ${name} is absent, the rule wants ${JSON.stringify(value)}`;
    if (have !== value) {
      return `label ${name} is ${JSON.stringify(have)}, the rule wants ${JSON.stringify(value)}`;
    }
  }
  return null;
}
