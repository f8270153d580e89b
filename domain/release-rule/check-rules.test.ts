import { describe, expect, it } from "vitest";
import { testRule } from "../command/testing-commands.ts";
import { LABELS_MAX, PRIORITY_ABS_MAX, RULES_MAX } from "../limits.ts";
import { checkRules } from "./check-rules.ts";
import type { ReleaseRule } from "./release-rule.ts";

const check = (rules: ReleaseRule[], pathPrefix = "/releases") =>
  checkRules({ rules, pathPrefix, versionExists: (id) => id <= 3 });
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
