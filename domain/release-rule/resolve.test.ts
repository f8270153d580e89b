import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileRules } from "./compile-rules.ts";
import { explainRules } from "./explain.ts";
import type { ReleaseRule } from "./release-rule.ts";
import { resolveRule } from "./resolve.ts";

/** Seed 003 read literally: of all rules whose conditions hold, the best by priority, then labels, then position. */
function naiveWinner(
  rules: readonly ReleaseRule[],
  labels: Map<string, string>,
  region: string | null,
): number | null {
  let best: number | null = null;
  for (const [i, rule] of rules.entries()) {
    const holds =
      Object.entries(rule.labels).every(([k, v]) => labels.get(k) === v) &&
      (rule.edge === undefined || (region !== null && rule.edge.regions.includes(region)));
    if (!holds) continue;
    const current = best === null ? undefined : rules[best];
    const better =
      current === undefined ||
      rule.priority > current.priority ||
      (rule.priority === current.priority &&
        Object.keys(rule.labels).length > Object.keys(current.labels).length);
    if (better) best = i;
  }
  return best;
}

const name = fc.constantFrom("a", "b", "c", "constructor", "__proto__");
const value = fc.constantFrom("", "1", "2", "3");
const region = fc.constantFrom("eu", "us", "cn");
const labels = fc.array(fc.tuple(name, value), { maxLength: 4 });
const rule: fc.Arbitrary<ReleaseRule> = fc.record(
  {
    labels: labels.map((pairs): Record<string, string> => Object.fromEntries(pairs)),
    version_id: fc.integer({ min: 1, max: 5 }),
    priority: fc.integer({ min: 0, max: 2 }),
    edge: fc.record({ regions: fc.array(region, { maxLength: 2 }) }),
  },
  { requiredKeys: ["labels", "version_id", "priority"] },
);

describe("resolveRule", () => {
  it("E1 C4 decides like a naive matcher, for the simulator too", () => {
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 12 }),
        labels,
        fc.option(region, { nil: null }),
        (rules, pairs, where) => {
          const have = new Map(pairs);
          const expected = naiveWinner(rules, have, where);
          expect(resolveRule(compileRules(rules, where), have)?.position ?? null).toBe(expected);
          const explained = explainRules({ rules, labels: have, region: where });
          expect(explained.winner?.position ?? null).toBe(expected);
          expect(explained.trace.map((t) => t.position)).toEqual(rules.map((_, i) => i));
          for (const line of explained.trace) {
            expect(line.matched).toBe(line.position === expected);
            expect(line.why_not === null).toBe(line.matched);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("looks at few rules however many there are", () => {
    const rules = Array.from({ length: 10_000 }, (_, i): ReleaseRule => ({
      labels: { env: "prod", ip: `10.0.${i >> 8}.${i & 255}` },
      version_id: i + 1,
      priority: 0,
    }));
    const compiled = compileRules(rules, "eu");
    expect(Math.max(...Object.values(compiled.by_label).map((group) => group.length))).toBe(1);
    const client = new Map([
      ["env", "prod"],
      ["ip", "10.0.39.15"],
    ]);
    expect(resolveRule(compiled, client)?.version_id).toBe(39 * 256 + 15 + 1);
  });

  it("answers null when nothing matches", () => {
    expect(resolveRule(compileRules([], "eu"), new Map())).toBeNull();
    const rules = [{ labels: { canary: "true" }, version_id: 1, priority: 0 }];
    expect(resolveRule(compileRules(rules, "eu"), new Map([["canary", "True"]]))).toBeNull();
  });
});

describe("explainRules", () => {
  const rules: ReleaseRule[] = [
    { labels: {}, version_id: 1, priority: 0 },
    { labels: { canary: "true" }, version_id: 2, priority: 10 },
    { labels: {}, version_id: 3, priority: 20, edge: { regions: ["cn-chengdu"] } },
  ];

  it("C8 gives a reason for every rule", () => {
    const { winner, trace } = explainRules({ rules, labels: new Map([["canary", "false"]]), region: "eu" });
    expect(winner).toEqual({ rule: rules[0], position: 0 });
    expect(trace.map((t) => t.why_not)).toEqual([
      null,
      'label canary is "false", the rule wants "true"',
      "region is eu, the rule applies in cn-chengdu",
    ]);
  });

  it("C8 names the rule that came first", () => {
    const { trace } = explainRules({ rules, labels: new Map([["canary", "true"]]), region: null });
    expect(trace.map((t) => t.why_not)).toEqual([
      "the rule at position 1 comes first",
      null,
      "region is none, the rule applies in cn-chengdu",
    ]);
    expect(explainRules({ rules: rules.slice(1, 2), labels: new Map(), region: null })).toMatchObject({
      winner: null,
      trace: [{ why_not: 'label canary is absent, the rule wants "true"' }],
    });
  });
});
