import * as fc from "fast-check";
import ipaddr from "ipaddr.js";
import semver from "semver";
import { describe, expect, it } from "vitest";
import { compileRulePattern } from "../../adapters/rule-pattern/compile-rule-pattern.ts";
import { compileRules } from "./compile-rules.ts";
import { type ExplainInput, explainRules } from "./explain.ts";
import { beginMurmur3, finishMurmur3 } from "./murmur3.ts";
import { prepareRules } from "./prepare-rules.ts";
import type { ReleaseRule, RuleCondition, RulePercentage } from "./release-rule.ts";
import { resolveRule } from "./resolve.ts";
import { testCondition } from "./testing-rules.ts";
import { warnOfRules } from "./warn-of-rules.ts";

const CONFIG_ID = "cfg-1";
type Labels = ReadonlyMap<string, string>;

const compiled = new Map(
  ["^eu-[12]$", "\\.", "^[0-9]+$"].map((source) => [source, compileRulePattern(source)]),
);
/** The edge's own engine, without compiling the same few expressions thousands of times. */
const compilePattern: typeof compileRulePattern = (source) =>
  compiled.get(source) ?? compileRulePattern(source);

const prepare = (rules: readonly ReleaseRule[], region: string | null, compile = compilePattern) =>
  prepareRules(compileRules({ rules, region, configId: CONFIG_ID }), compile);
const resolve = (rules: readonly ReleaseRule[], labels: Labels, region: string | null = null) =>
  resolveRule(prepare(rules, region), labels);
const explain = (input: Omit<ExplainInput, "configId">) =>
  explainRules({ ...input, configId: CONFIG_ID }, compilePattern);

/** The documented meaning of each operator, read with other people's code. */
const NAIVE: Record<RuleCondition["op"], (value: string, values: readonly string[]) => boolean> = {
  in: (value, values) => values.includes(value),
  not_in: (value, values) => !values.includes(value),
  prefix: (value, values) => values.some((v) => value.slice(0, v.length) === v),
  suffix: (value, values) => values.some((v) => value.slice(-v.length) === v),
  regex: (value, values) => values.some((v) => new RegExp(v, "u").test(value)),
  semver: (value, values) => semver.valid(value) !== null && values.some((v) => semver.satisfies(value, v)),
  cidr: (value, values) =>
    ipaddr.IPv4.isValidFourPartDecimal(value) &&
    values.some((v) => ipaddr.parse(value).match(ipaddr.parseCIDR(v))),
  exists: (_, values) => values[0] !== "false",
  gt: (value, values) => /^[\d.-]+$/.test(value) && Number(value) > Number(values[0]),
  lt: (value, values) => /^[\d.-]+$/.test(value) && Number(value) < Number(values[0]),
};

function naiveHolds(rule: ReleaseRule, labels: Labels, region: string | null): boolean {
  const { when = [], percentage, edge } = rule;
  if (edge !== undefined && (region === null || !edge.regions.includes(region))) return false;
  if (!Object.entries(rule.labels).every(([k, v]) => labels.get(k) === v)) return false;
  const all = when.every(({ label, op, values }) => {
    const value = labels.get(label);
    if (value === undefined) return op === "not_in" || (op === "exists" && values[0] === "false");
    return NAIVE[op](value, values);
  });
  if (!all || percentage === undefined) return all;
  const value = labels.get(percentage.by);
  if (value === undefined) return false;
  const hash = finishMurmur3(beginMurmur3(""), `${percentage.salt ?? CONFIG_ID}\u0000${value}`);
  return hash % 10_000 < Math.round(percentage.percent * 100);
}

const asks = ({ labels, when = [], percentage }: ReleaseRule): number =>
  Object.keys(labels).length + when.length + (percentage ? 1 : 0);

/** Seed 003 read literally: of all rules whose conditions hold, the best by priority, then labels, then position. */
function naiveWinner(rules: readonly ReleaseRule[], labels: Labels, region: string | null): number | null {
  let best: number | null = null;
  for (const [i, rule] of rules.entries()) {
    if (!naiveHolds(rule, labels, region)) continue;
    const current = best === null ? undefined : rules[best];
    const better =
      current === undefined ||
      rule.priority > current.priority ||
      (rule.priority === current.priority && asks(rule) > asks(current));
    if (better) best = i;
  }
  return best;
}

const name = fc.constantFrom("a", "b", "c", "constructor", "__proto__");
const VALUES = [
  "",
  "1",
  "2",
  "2.5",
  "-3",
  "1.2.0",
  "2.0.0",
  "v1.9.3",
  "10.1.2.3",
  "10.9.0.1",
  "eu-1",
  "eu-2",
  "__proto__",
];
const value = fc.constantFrom(...VALUES);
const region = fc.constantFrom("eu", "us", "cn");
const labels = fc.array(fc.tuple(name, value), { maxLength: 4 });
const some = (...from: string[]) => fc.uniqueArray(fc.constantFrom(...from), { minLength: 1, maxLength: 3 });
const one = (...from: string[]) => fc.constantFrom(...from).map((v) => [v]);
const VALUES_OF: Record<RuleCondition["op"], fc.Arbitrary<string[]>> = {
  in: some(...VALUES),
  not_in: some(...VALUES),
  prefix: some("1", "eu", "10.", "v"),
  suffix: some("1", ".0", "3"),
  regex: some("^eu-[12]$", "\\.", "^[0-9]+$"),
  semver: some(">=1.2.0", "^1.0.0", "<1.5.0 || 2.x", "1.2.0 - 1.9.3"),
  cidr: some("10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0"),
  exists: fc.oneof(fc.constant<string[]>([]), one("true", "false")),
  gt: one("1", "2", "2.4", "-3"),
  lt: one("1", "2", "2.6", "-2.5"),
};
const condition = fc
  .constantFrom(...(Object.keys(VALUES_OF) as RuleCondition["op"][]))
  .chain((op) => fc.record({ label: name, op: fc.constant(op), values: VALUES_OF[op] }));
const percentage: fc.Arbitrary<RulePercentage> = fc.record(
  {
    by: name,
    percent: fc.integer({ min: 0, max: 10_000 }).map((n) => n / 100),
    salt: fc.constantFrom("s", "t"),
  },
  { requiredKeys: ["by", "percent"] },
);
const rule: fc.Arbitrary<ReleaseRule> = fc.record(
  {
    labels: labels.map((pairs): Record<string, string> => Object.fromEntries(pairs.slice(0, 2))),
    version_id: fc.integer({ min: 1, max: 5 }),
    priority: fc.integer({ min: 0, max: 2 }),
    when: fc.array(condition, { maxLength: 3 }),
    percentage,
    edge: fc.record({ regions: fc.array(region, { maxLength: 2 }) }),
  },
  { requiredKeys: ["labels", "version_id", "priority"] },
);

describe("resolveRule", () => {
  it("E1 C4 C5 decides like a naive loop over the rules, for the simulator too", () => {
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 12 }),
        labels,
        fc.option(region, { nil: null }),
        (rules, pairs, where) => {
          const have = new Map(pairs);
          const expected = naiveWinner(rules, have, where);
          expect(resolve(rules, have, where)?.position ?? null).toBe(expected);
          const explained = explain({ rules, labels: have, region: where });
          expect(explained.winner?.position ?? null).toBe(expected);
          expect(explained.trace.map((t) => t.position)).toEqual(rules.map((_, i) => i));
          for (const line of explained.trace) {
            expect(line.matched).toBe(line.position === expected);
            expect(line.why_not === null).toBe(line.matched);
            const first = line.why_not === `the rule at position ${expected} comes first`;
            expect(first || line.matched).toBe(naiveHolds(line.rule, have, where));
          }
        },
      ),
      { numRuns: 5000 },
    );
  });

  it("C5 decides for one client after another as it would for each alone", () => {
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 1, maxLength: 6 }),
        fc.array(labels, { minLength: 2, maxLength: 8 }),
        (rules, clients) => {
          const prepared = prepare(rules, null);
          for (const have of clients.map((pairs) => new Map(pairs))) {
            expect(resolveRule(prepared, have)?.position ?? null).toBe(naiveWinner(rules, have, null));
          }
        },
      ),
      { numRuns: 2000 },
    );
    const above = prepare([testCondition(1, "a", "gt", "5")], null);
    const age = (text: string) => resolveRule(above, new Map([["a", text]])) !== null;
    expect([age("6"), age("4"), age("x"), age("6")]).toEqual([true, false, false, true]);
  });

  it("C4 C5 gives nobody a rule of which a warning says that it can never match", () => {
    let warned = 0;
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 4 }),
        fc.array(fc.tuple(labels, region), { minLength: 5, maxLength: 5 }),
        (rules, clients) => {
          const never = warnOfRules(rules).map((text) =>
            Number(/^the rule at (\d+) can never/.exec(text)?.[1]),
          );
          warned += never.length;
          for (const [pairs, where] of clients) {
            expect(never).not.toContain(naiveWinner(rules, new Map(pairs), where));
          }
        },
      ),
      { numRuns: 3000 },
    );
    expect(warned).toBeGreaterThan(100);
  });

  it("looks at few rules however many there are, when they ask for values", () => {
    const rules = Array.from({ length: 10_000 }, (_, i): ReleaseRule => ({
      labels: { env: "prod" },
      version_id: i + 1,
      priority: 0,
      when: [
        { label: "ip", op: "in", values: [`10.0.${i >> 8}.${i & 255}`, `10.1.${i >> 8}.${i & 255}`] },
        { label: "app", op: "prefix", values: ["web"] },
      ],
    }));
    const { by_label, by_name, unlabelled } = compileRules({ rules, region: "eu", configId: CONFIG_ID });
    expect(Math.max(...Object.values(by_label).map((group) => group.length))).toBe(1);
    expect([by_name, unlabelled]).toEqual([{}, []]);
    const client = new Map(Object.entries({ env: "prod", ip: "10.1.39.15", app: "webshop" }));
    expect(resolve(rules, client)?.version_id).toBe(39 * 256 + 15 + 1);
  });

  it("leads a client past the rules of labels that it does not have", () => {
    const rules = [
      ...["prefix", "suffix", "regex"].map((op) => testCondition(1, "a", op as "regex", "x")),
      testCondition(2, "b", "exists", "true"),
      testCondition(3, "c", "exists", "false"),
      testCondition(4, "c", "not_in", "x"),
      { labels: {}, version_id: 5, priority: 0, percentage: { by: "d", percent: 50 } },
    ];
    const { by_label, by_name, unlabelled } = compileRules({ rules, region: null, configId: CONFIG_ID });
    expect({ by_label, by_name, unlabelled }).toEqual({
      by_label: {},
      by_name: { a: [0, 1, 2], b: [3], d: [6] },
      unlabelled: [4, 5],
    });
  });

  it("compiles an expression once, and tests it on no client without the label", () => {
    const calls = { compiled: 0, tested: 0 };
    const rules = [testCondition(1, "a", "regex", "^x"), testCondition(2, "a", "regex", "^x")];
    const prepared = prepare(rules, null, () => {
      calls.compiled += 1;
      return () => {
        calls.tested += 1;
        return false;
      };
    });
    resolveRule(prepared, new Map([["b", "x"]]));
    expect(calls).toEqual({ compiled: 1, tested: 0 });
    resolveRule(prepared, new Map([["a", "x"]]));
    expect(calls).toEqual({ compiled: 1, tested: 2 });
  });

  it("answers null when nothing matches", () => {
    expect(resolve([], new Map(), "eu")).toBeNull();
    const rules = [{ labels: { canary: "true" }, version_id: 1, priority: 0 }];
    expect(resolve(rules, new Map([["canary", "True"]]), "eu")).toBeNull();
  });

  it("C5 gives nobody a version because a rule is not understood", () => {
    const unknownField = { ...testCondition(1, "a", "in", "x"), unless: [] };
    expect(() => prepare([unknownField], null)).toThrow("the field unless, which this build does not know");
    const unknownOp = testCondition(1, "a", "sounds_like" as "in", "x", "y");
    expect(() => prepare([unknownOp], null)).toThrow('unknown operator "sounds_like"');
    expect(resolve([testCondition(1, "a", "regex", "(")], new Map([["a", "("]]))).toBeNull();
  });
});

describe("C5 percentages", () => {
  const share = (percent: number, salt?: string): ReleaseRule[] => [
    { labels: {}, version_id: 1, priority: 0, percentage: { by: "user", percent, ...(salt && { salt }) } },
  ];
  const CLIENTS = 20_000;
  const among = (rules: ReleaseRule[]): Set<number> => {
    const prepared = prepare(rules, null);
    const is = (i: number): boolean => resolveRule(prepared, new Map([["user", `user-${i}`]])) !== null;
    return new Set(Array.from({ length: CLIENTS }, (_, i) => i).filter(is));
  };

  it.each([0, 0.01, 1, 12.5, 50, 99.99, 100])("%f %% is that share of many clients", (percent) => {
    const p = percent / 100;
    // Five standard deviations: the clients are fixed, so this holds always or never.
    const within = 5 * Math.sqrt(CLIENTS * p * (1 - p));
    expect(Math.abs(among(share(percent)).size - CLIENTS * p)).toBeLessThanOrEqual(within);
  });

  it("raising one only adds clients, and another salt draws others", () => {
    const sets = [0, 0.5, 1, 10, 10.01, 55, 100].map((percent) => among(share(percent)));
    for (const [i, set] of sets.entries()) {
      const next = sets[i + 1] ?? set;
      expect([...set].every((client) => next.has(client))).toBe(true);
    }
    const others = among(share(50, "other"));
    const both = [...among(share(50))].filter((client) => others.has(client)).length;
    expect(Math.abs(both - CLIENTS / 4)).toBeLessThan(400);
  });

  it("a client without the label is in none, not even in 100 %; with an empty one it is", () => {
    expect(resolve(share(100), new Map())).toBeNull();
    expect(resolve(share(100), new Map([["user", ""]]))?.version_id).toBe(1);
  });

  it("the bucket is murmur3_32 of salt, NUL and value, modulo 10,000", () => {
    const bucket = finishMurmur3(beginMurmur3(""), "cfg-1\u0000ada") % 10_000;
    const at = (percent: number) => resolve(share(percent), new Map([["user", "ada"]]));
    expect([at(bucket / 100), at((bucket + 1) / 100)?.version_id]).toEqual([null, 1]);
  });
});

describe("explainRules", () => {
  const rules: ReleaseRule[] = [
    { labels: {}, version_id: 1, priority: 0 },
    { labels: { canary: "true" }, version_id: 2, priority: 10 },
    { labels: {}, version_id: 3, priority: 20, edge: { regions: ["cn-chengdu"] } },
  ];

  it("C8 gives a reason for every rule", () => {
    const { winner, trace } = explain({ rules, labels: new Map([["canary", "false"]]), region: "eu" });
    expect(winner).toEqual({ rule: rules[0], position: 0 });
    expect(trace.map((t) => t.why_not)).toEqual([
      null,
      'label canary is "false", the rule wants "true"',
      "region is eu, the rule applies in cn-chengdu",
    ]);
  });

  it("C8 names the rule that came first", () => {
    const { trace } = explain({ rules, labels: new Map([["canary", "true"]]), region: null });
    expect(trace.map((t) => t.why_not)).toEqual([
      "the rule at position 1 comes first",
      null,
      "region is none, the rule applies in cn-chengdu",
    ]);
    expect(explain({ rules: rules.slice(1, 2), labels: new Map(), region: null })).toMatchObject({
      winner: null,
      trace: [{ why_not: 'label canary is absent, the rule wants "true"' }],
    });
  });

  it("C8 gives the reason of every operator, and the bucket", () => {
    const conditions: [RuleCondition["op"], string[], string][] = [
      ["in", ["x", "y"], 'label a is "b", the rule wants one of "x", "y"'],
      ["not_in", ["b"], 'label a is "b", the rule wants none of "b"'],
      ["prefix", ["x"], 'label a is "b", the rule wants a beginning of "x"'],
      ["suffix", ["x"], 'label a is "b", the rule wants an end of "x"'],
      ["regex", ["^x"], 'label a is "b", the rule wants a match of "^x"'],
      ["semver", ["^1.0.0"], 'label a is "b", the rule wants a version in "^1.0.0"'],
      ["cidr", ["10.0.0.0/8"], 'label a is "b", the rule wants an address in "10.0.0.0/8"'],
      ["exists", ["false"], 'label a is "b", the rule wants it absent'],
      ["gt", ["1"], 'label a is "b", the rule wants a number above 1'],
      ["lt", ["1"], 'label a is "b", the rule wants a number below 1'],
    ];
    const many = Array.from({ length: 12 }, (_, i) => `v${i}`);
    const { trace } = explain({
      rules: [
        ...conditions.map(([op, values]) => testCondition(1, "a", op, ...values)),
        testCondition(1, "z", "exists"),
        testCondition(1, "z", "in", ...many),
        { labels: {}, version_id: 1, priority: 0, percentage: { by: "a", percent: 0.5 } },
        { labels: {}, version_id: 1, priority: 0, percentage: { by: "z", percent: 0.5 } },
      ],
      labels: new Map([["a", "b"]]),
      region: null,
    });
    const bucket = finishMurmur3(beginMurmur3(""), "cfg-1\u0000b") % 10_000;
    expect(trace.map(({ why_not }) => why_not)).toEqual([
      ...conditions.map(([, , why]) => why),
      "label z is absent, the rule wants it present",
      `label z is absent, the rule wants one of ${many
        .slice(0, 10)
        .map((v) => `"${v}"`)
        .join(", ")} or 2 more`,
      `label a is in bucket ${bucket}, the rule wants buckets below 50 (0.5 %)`,
      "label z is absent, the rule wants buckets below 50 (0.5 %) of it",
    ]);
    expect(trace.slice(-3).map((line) => line.bucket)).toEqual([null, bucket, null]);
  });
});
