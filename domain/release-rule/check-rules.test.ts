import { describe, expect, it } from "vitest";
import { testRule } from "../command/testing-commands.ts";
import {
  CONDITION_TRIES_MAX,
  CONDITION_VALUES_MAX,
  CONDITIONS_MAX,
  LABELS_MAX,
  PRIORITY_ABS_MAX,
  RULE_PATTERNS_MAX,
  RULE_VALUES_MAX,
  RULES_MAX,
} from "../limits.ts";
import { checkRules } from "./check-rules.ts";
import { compileRules } from "./compile-rules.ts";
import { prepareRules } from "./prepare-rules.ts";
import type { ReleaseRule, RuleCondition, RulePercentage } from "./release-rule.ts";
import { resolveRule } from "./resolve.ts";
import { testCondition } from "./testing-rules.ts";

const check = (rules: ReleaseRule[], pathPrefix = "/releases") =>
  checkRules({ rules, pathPrefix, versionExists: (id) => id <= 3 });
const numbered = (n: number): string[] => Array.from({ length: n }, (_, i) => String(i));
const when = (
  ...conditions: [label: string, op: RuleCondition["op"], ...values: string[]][]
): ReleaseRule => ({
  ...testRule(1),
  when: conditions.map(([label, op, ...values]) => ({ label, op, values })),
});
const share = (percentage: Partial<RulePercentage>, versionId = 1, priority = 0): ReleaseRule => ({
  ...testRule(versionId, {}, priority),
  percentage: { by: "user", percent: 10, ...percentage },
});
const warnedOf = (rules: ReleaseRule[]): string[] | null => {
  const checked = check(rules);
  return checked.ok ? checked.warnings : null;
};
const many = (n: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [`l${i}`, "x"]));

describe("C4 rules that are refused", () => {
  it.each<[string, ReleaseRule[], string]>([
    ["a missing version", [testRule(1), testRule(4, { a: "1" })], "/releases/1/version_id"],
    [
      "the same rule twice",
      [testRule(1, { a: "1", b: "2" }), testRule(2, { B: "2", a: "1" })],
      "/releases/1",
    ],
    [
      "the same regions in another order",
      [testRule(1, {}, 0, ["x", "y"]), testRule(1, {}, 0, ["y", "x"])],
      "/releases/1",
    ],
    ["one label in two cases", [testRule(1, { Canary: "a", canary: "b" })], "/releases/0/labels/canary"],
    ["too many labels", [testRule(1, many(LABELS_MAX + 1))], "/releases/0/labels"],
    ["a label name with a slash", [testRule(1, { "a/b": "1" })], "/releases/0/labels/a~1b"],
    ["an empty label name", [testRule(1, { "": "1" })], "/releases/0/labels/"],
    [
      "a label name over its limit",
      [testRule(1, { ["n".repeat(65)]: "1" })],
      `/releases/0/labels/${"n".repeat(65)}`,
    ],
    ["a value over its limit in bytes", [testRule(1, { a: "é".repeat(129) })], "/releases/0/labels/a"],
    ["a value that no header can carry", [testRule(1, { a: "x\ny" })], "/releases/0/labels/a"],
    ["no region", [testRule(1, {}, 0, [])], "/releases/0/edge/regions"],
    ["a region that is no name", [testRule(1, {}, 0, ["../x"])], "/releases/0/edge/regions"],
    ["a fractional priority", [testRule(1, {}, 0.5)], "/releases/0/priority"],
    ["a priority out of range", [testRule(1, {}, PRIORITY_ABS_MAX + 1)], "/releases/0/priority"],
  ])("%s", (_name, rules, path) => {
    const checked = check(rules);
    expect(checked.ok).toBe(false);
    if (!checked.ok) expect(checked.errors.map((e) => e.path)).toContain(path);
  });

  it("more rules than RULES_MAX, at the list's own path", () => {
    const rules = Array.from({ length: RULES_MAX + 1 }, (_, i) => testRule(1, { i: String(i) }));
    expect(check(rules)).toMatchObject({ ok: false, errors: [{ path: "/releases" }] });
  });

  it("errors are listed by position under the prefix that was asked for", () => {
    expect(check([testRule(9)], "")).toMatchObject({ ok: false, errors: [{ path: "/0/version_id" }] });
  });
});

describe("C4 rules that are taken", () => {
  it("stores label names in lower case, values as they are, regions once", () => {
    const checked = check([testRule(1, { "X-Team": "Blue" }, 5, ["cn-chengdu", "cn-chengdu"])]);
    expect(checked).toEqual({
      ok: true,
      rules: [
        { labels: { "x-team": "Blue" }, version_id: 1, priority: 5, edge: { regions: ["cn-chengdu"] } },
      ],
      warnings: [],
    });
  });

  it("a label named __proto__ is a label like any other", () => {
    const labels = JSON.parse(`{"__proto__":"x"}`) as Record<string, string>;
    const checked = check([testRule(1, labels)]);
    expect(checked.ok && Object.entries(checked.rules[0]?.labels ?? {})).toEqual([["__proto__", "x"]]);
  });

  it("is what it gives: checking its answer again changes nothing", () => {
    const once = check([testRule(1, { A: "1" }, 2, ["r", "r"]), testRule(2)]);
    expect(once.ok && check(once.rules)).toEqual(once);
  });
});

describe("C4 rules that can never match are warned of", () => {
  it.each<[string, ReleaseRule[], number[]]>([
    ["a default of higher priority covers all", [testRule(1, {}, 10), testRule(2, { a: "1" })], [1]],
    [
      "a subset of the labels at higher priority",
      [testRule(1, { a: "1", b: "2" }), testRule(2, { b: "2" }, 1)],
      [0],
    ],
    [
      "the same labels, one region within all",
      [testRule(1, { a: "1" }), testRule(2, { a: "1" }, 0, ["r"])],
      [1],
    ],
    ["a second default", [testRule(1, {}, 1), testRule(2)], [1]],
    [
      "more labels are tried first: both match",
      [testRule(1, { a: "1" }), testRule(2, { a: "1", b: "2" })],
      [],
    ],
    ["regions that only overlap", [testRule(1, {}, 1, ["r", "s"]), testRule(2, {}, 0, ["s", "t"])], []],
    ["a region's rule does not cover the default", [testRule(1, {}, 1, ["r"]), testRule(2)], []],
    ["other values", [testRule(1, { a: "1" }, 1), testRule(2, { a: "2" })], []],
  ])("%s", (_name, rules, positions) => {
    const checked = check(rules);
    const warned = checked.ok ? checked.warnings.map((w) => Number(/^the rule at (\d+)/.exec(w)?.[1])) : null;
    expect(warned).toEqual(positions);
  });

  it("stays bounded on a list made to be slow, and says so", () => {
    const rules = Array.from({ length: RULES_MAX }, (_, i) =>
      testRule(1, { a: String(i % 2) }, 0, [`r${i}`]),
    );
    const checked = check(rules);
    expect(checked.ok && checked.warnings).toEqual([
      "the list is too long to look for every rule that can never match",
    ]);
  });

  it("counts warnings past the ones it lists", () => {
    const rules = [
      testRule(1, {}, 1),
      ...Array.from({ length: 30 }, (_, i) => testRule(1, { i: String(i) })),
    ];
    const checked = check(rules);
    expect(checked.ok && checked.warnings.at(-1)).toBe("10 more rules can never match");
  });
});

describe("C5 conditions and percentages that are refused", () => {
  const at = (i: number | "" = "", part = "values"): string =>
    `/releases/0/when/0/${part}${i === "" ? "" : `/${i}`}`;
  it.each<[string, ReleaseRule, string, string]>([
    ["a label's name with a space", when(["a b", "in", "x"]), at("", "label"), "1-64 of the characters"],
    ["in without values", when(["a", "in"]), at(), "in takes 1-1000 values, got 0"],
    ["too many values", when(["a", "in", ...numbered(CONDITION_VALUES_MAX + 1)]), at(), "got 1001"],
    [
      "too many to try",
      when(["a", "prefix", ...numbered(CONDITION_TRIES_MAX + 1)]),
      at(),
      "prefix takes 1-100 values",
    ],
    ["a value that no header can carry", when(["a", "in", "ok", "x\n"]), at(1), "no control characters"],
    ["a value over its limit in bytes", when(["a", "suffix", "é".repeat(129)]), at(0), "at most 256 bytes"],
    ["an empty beginning", when(["a", "prefix", ""]), at(0), "use exists"],
    ["an empty expression", when(["a", "regex", ""]), at(0), "1-256 bytes"],
    ["an expression over its limit", when(["a", "regex", "é".repeat(129)]), at(0), "1-256 bytes"],
    [
      "no range of versions",
      when(["a", "semver", "^1.0.0", "latest"]),
      at(1),
      "expected a range of versions such as",
    ],
    [
      "too many alternatives",
      when(["a", "semver", numbered(60).join("||"), numbered(41).join("||")]),
      at(),
      "at most 100 alternatives in all values, got 101",
    ],
    ["no range of addresses", when(["a", "cidr", "10.0.0.0/33"]), at(0), "10.0.0.0/8 or 2001:db8::/32"],
    ["exists with another word", when(["a", "exists", "yes"]), at(0), 'no value, "true" or "false"'],
    ["exists both ways", when(["a", "exists", "true", "false"]), at(), "exists takes 0-1 values, got 2"],
    ["gt without a number", when(["a", "gt", "1e3"]), at(0), "a decimal number"],
    ["lt with two", when(["a", "lt", "1", "2"]), at(), "lt takes exactly 1 value, got 2"],
    ["a percentage below none", share({ percent: -0.01 }), "/releases/0/percentage/percent", "0 to 100"],
    ["a percentage above all", share({ percent: 100.01 }), "/releases/0/percentage/percent", "0 to 100"],
    [
      "a percentage of three decimals",
      share({ percent: 0.125 }),
      "/releases/0/percentage/percent",
      "two decimals",
    ],
    ["a percentage by no label", share({ by: "" }), "/releases/0/percentage/by", "1-64 of the characters"],
    ["an empty salt", share({ salt: "" }), "/releases/0/percentage/salt", "when left out"],
    ["a salt with NUL", share({ salt: "a\u0000b" }), "/releases/0/percentage/salt", "no control characters"],
  ])("%s", (_name, rule, path, message) => {
    const checked = check([rule]);
    const errors = checked.ok ? [] : checked.errors;
    expect(errors).toContainEqual({ path, message: expect.stringContaining(message) });
  });

  it.each<[string, ReleaseRule[]]>([
    [
      "conditions of a rule",
      [when(...numbered(CONDITIONS_MAX + 1).map((n): [string, "exists"] => [n, "exists"]))],
    ],
    [
      "values of a list",
      Array.from({ length: RULE_VALUES_MAX / CONDITION_VALUES_MAX + 1 }, (_, i) =>
        when([`l${i}`, "in", ...numbered(CONDITION_VALUES_MAX)]),
      ),
    ],
    [
      "expressions of a list",
      numbered(RULE_PATTERNS_MAX + 1).map((n) => testCondition(1, "a", "regex", `^${n}`)),
    ],
  ])("too many %s", (_name, rules) => {
    expect(check(rules)).toMatchObject({
      ok: false,
      errors: [{ message: expect.stringContaining("at most") }],
    });
  });

  it("the same conditions twice, in whatever order they are written", () => {
    const rules = [
      when(["a", "in", "x", "y"], ["B", "exists"]),
      when(["b", "exists"], ["a", "in", "y", "x"]),
    ];
    expect(check(rules)).toMatchObject({ ok: false, errors: [{ path: "/releases/1" }] });
    expect(check([share({}), share({ by: "USER" })])).toMatchObject({ ok: false });
    expect(check([when(["a", "gt", "1"]), when(["a", "lt", "1"]), share({}), share({ salt: "s" })]).ok).toBe(
      true,
    );
  });
});

describe("C5 conditions and percentages that are taken", () => {
  it("stores names in lower case, values once, and no empty list", () => {
    const rule = { ...when(["App", "in", "x", "y", "x"]), percentage: { by: "User-Id", percent: 12.34 } };
    const once = check([rule, { ...testRule(2), when: [] }]);
    expect(once).toEqual({
      ok: true,
      rules: [
        {
          ...testRule(1),
          when: [{ label: "app", op: "in", values: ["x", "y"] }],
          percentage: { by: "user-id", percent: 12.34 },
        },
        testRule(2),
      ],
      warnings: [],
    });
    expect(once.ok && check(once.rules)).toEqual(once);
  });

  it("takes every step of a percentage", () => {
    const rules = Array.from({ length: RULES_MAX }, (_, i) => share({ percent: (i + 1) / 100 }));
    expect(check(rules).ok).toBe(true);
  });
});

describe("C4 C5 conditions that can never hold are warned of", () => {
  it.each<[string, ReleaseRule, string | null]>([
    ["a percentage of 0", share({ percent: 0 }), "its percentage is 0"],
    ["gt over lt", when(["a", "gt", "5"], ["a", "lt", "3"]), "no value of label a"],
    ["gt at lt", when(["a", "gt", "5"], ["a", "lt", "5.0"]), "no value of label a"],
    ["gt under lt", when(["a", "gt", "5"], ["a", "lt", "5.01"]), null],
    [
      "of several bounds the tightest",
      when(["a", "gt", "1"], ["a", "gt", "9"], ["a", "lt", "5"]),
      "no value",
    ],
    ["a label and another value", { ...when(["a", "in", "y"]), labels: { a: "x" } }, "no value of label a"],
    ["a label and its exclusion", { ...when(["a", "not_in", "x", "y"]), labels: { a: "x" } }, "no value"],
    [
      "a label outside a range",
      { ...when(["a", "cidr", "10.0.0.0/8"]), labels: { a: "11.0.0.1" } },
      "no value",
    ],
    [
      "values of which one is left",
      when(["a", "in", "1", "7"], ["a", "gt", "5"], ["a", "not_in", "8"]),
      null,
    ],
    [
      "values of which none is left",
      when(["a", "in", "1", "7"], ["a", "gt", "5"], ["a", "not_in", "7"]),
      "no value",
    ],
    ["an expression is not judged", { ...when(["a", "regex", "^y"]), labels: { a: "x" } }, null],
    ["present and absent", when(["a", "exists"], ["a", "exists", "false"]), "must be there and must not"],
    [
      "a percentage of an absent label",
      { ...share({}), ...when(["user", "exists", "false"]), percentage: share({}).percentage },
      "must not",
    ],
    ["absent and excluded", when(["a", "exists", "false"], ["a", "not_in", "x"]), null],
    ["beginnings that part", when(["a", "prefix", "eu-", "us-"], ["a", "prefix", "cn-"]), "no value"],
    ["beginnings that go on", when(["a", "prefix", "eu-", "us-"], ["a", "prefix", "eu-west"]), null],
    ["ends that part", when(["a", "suffix", ".de"], ["a", "suffix", ".at"]), "no value"],
    ["ranges apart", when(["a", "cidr", "10.0.0.0/8"], ["a", "cidr", "11.0.0.0/8", "::/0"]), "no value"],
    ["ranges within", when(["a", "cidr", "10.0.0.0/8"], ["a", "cidr", "10.2.0.0/16"]), null],
    ["versions apart", when(["a", "semver", "^1.0.0"], ["a", "semver", "^2.0.0 || 3.x"]), "no value"],
    ["a range of no version", when(["a", "semver", ">2.0.0 <1.0.0"]), "no value"],
    ["other labels", when(["a", "gt", "5"], ["b", "lt", "3"]), null],
  ])("%s", (_name, rule, why) => {
    expect(warnedOf([rule])).toEqual(why === null ? [] : [expect.stringContaining(why)]);
    expect(warnedOf([rule])?.every((text) => text.startsWith("the rule at 0 can never match: "))).toBe(true);
  });

  it.each<[string, ReleaseRule[], number[]]>([
    [
      "a part of the conditions at higher priority",
      [{ ...when(["a", "gt", "5"]), priority: 1 }, when(["a", "gt", "5"], ["b", "exists"])],
      [1],
    ],
    [
      "conditions differ",
      [{ ...when(["a", "gt", "6"]), priority: 1 }, when(["a", "gt", "5"], ["b", "exists"])],
      [],
    ],
    [
      "in with one value is a label",
      [{ ...when(["a", "in", "x"]), priority: 1 }, testRule(2, { a: "x" })],
      [1],
    ],
    ["a condition restricts a default", [{ ...when(["a", "exists"]), priority: 1 }, testRule(2)], []],
    ["a percentage restricts a default", [share({}, 1, 1), testRule(2)], []],
    ["a default before a percentage", [testRule(2, {}, 1), share({})], [1]],
    ["a smaller share of the same clients", [share({ percent: 20 }, 1, 1), share({ percent: 20 }, 2)], [1]],
    ["a larger share of the same clients", [share({ percent: 20 }, 1, 1), share({ percent: 21 }, 2)], []],
    ["a share of others", [share({ percent: 20 }, 1, 1), share({ percent: 5, salt: "s" }, 2)], []],
    ["conditions count as labels", [testRule(1), when(["a", "exists"]), share({}, 2)], []],
    [
      "a rule that never matches covers none",
      [share({ percent: 0 }, 1, 1), share({ percent: 0 }, 2)],
      [0, 1],
    ],
  ])("%s", (_name, rules, positions) => {
    expect(warnedOf(rules)?.map((w) => Number(/^the rule at (\d+)/.exec(w)?.[1]))).toEqual(positions);
  });

  it("only of rules that no client of a small world gets", () => {
    const texts = ["1", "4", "6", "eu", "eu-1", "10.0.0.1", "1.2.0"];
    const rules = [
      when(["a", "gt", "5"], ["a", "lt", "3"]),
      when(["a", "gt", "3"], ["a", "lt", "5"]),
      when(["a", "prefix", "eu"], ["a", "suffix", "1"]),
      when(["a", "in", "eu", "1"], ["a", "prefix", "1"], ["a", "not_in", "1"]),
      when(["a", "semver", ">=1.0.0"], ["a", "semver", "<2.0.0"]),
    ];
    for (const [i, rule] of rules.entries()) {
      const prepared = prepareRules(compileRules({ rules: [rule], region: null, configId: "c" }), () => null);
      const got = texts.some((text) => resolveRule(prepared, new Map([["a", text]])) !== null);
      expect(warnedOf([rule]), `rule ${i}`).toHaveLength(got ? 0 : 1);
    }
  });

  it("stays bounded on conditions made to be slow, and says so", () => {
    const values = numbered(CONDITION_TRIES_MAX - 1);
    const slow = numbered(CONDITIONS_MAX).map((n): [string, "prefix", ...string[]] => [
      "a",
      "prefix",
      ...values.map((v) => `${v}-${n}`),
      "last",
    ]);
    const rules = numbered(2).map((n): ReleaseRule => ({ ...when(...slow), labels: { n } }));
    expect(warnedOf(rules)?.at(-1)).toBe("the list is too long to look for every rule that can never match");
  });
});
