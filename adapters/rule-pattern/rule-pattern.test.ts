import { RE2JS } from "re2js";
import { describe, expect, it } from "vitest";
import { RULE_PATTERN_INSTRUCTIONS_MAX } from "../../domain/limits.ts";
import { PATTERN_CASES, testCondition } from "../../domain/release-rule/testing-rules.ts";
import { checkRulePatterns } from "./check-rule-patterns.ts";
import { compileRulePattern, readRulePattern } from "./compile-rule-pattern.ts";

describe("C5 expressions of rules", () => {
  it.each(PATTERN_CASES)("%s in %j: %s", (source, text, found) => {
    expect(compileRulePattern(source)?.(text) ?? false).toBe(found);
  });

  it("take steps that grow with the text and no faster", () => {
    // Backtracking would need 2^250 of them.
    expect(compileRulePattern("^(a|a)*$")?.(`${"a".repeat(250)}b`)).toBe(false);
  });

  it("are held within bounds by what the library calls its budgets", () => {
    const { dfa } = RE2JS.compile("a(a|b){9}$").re2();
    expect(dfa).toMatchObject({ stateBudget: expect.any(Number), memBudget: expect.any(Number) });
    expect(dfa.memBudget).toBeLessThanOrEqual(dfa.stateBudget);
  });

  it("answer alike once their tables are full and begun anew", () => {
    const test = compileRulePattern("a(a|b){9}$");
    const letters = (i: number): string =>
      Array.from({ length: 200 }, (_, j) => ((i * 7 + j * j * 3 + (i >> (j % 8))) % 3 ? "a" : "b")).join("");
    for (let i = 0; i < 500; i += 1) {
      const text = letters(i);
      expect(test?.(text), text).toBe(/a(a|b){9}$/.test(text));
    }
  });

  it("are refused at their own place, once for each place", () => {
    const rules = [
      testCondition(1, "a", "in", "("),
      testCondition(1, "a", "regex", "fine", "("),
      testCondition(1, "b", "regex", "(", "(?<=a)b"),
    ];
    expect(checkRulePatterns(rules, "/releases")).toEqual([
      { path: "/releases/1/when/0/values/1", message: expect.stringContaining("no RE2 syntax: ") },
      { path: "/releases/2/when/0/values/0", message: expect.stringContaining("no RE2 syntax: ") },
      { path: "/releases/2/when/0/values/1", message: expect.stringContaining("no RE2 syntax: ") },
    ]);
  });

  it("are refused when they are too large together; the same one twice counts once", () => {
    const large = (i: number): string => `${i}.{400}`;
    const read = readRulePattern(large(1));
    const instructions = read.ok ? read.instructions : 0;
    const fit = Math.floor(RULE_PATTERN_INSTRUCTIONS_MAX / instructions);
    const rules = Array.from({ length: fit }, (_, i) => testCondition(1, "a", "regex", large(i)));
    const twice = [...rules, ...rules];
    expect(checkRulePatterns(twice, "")).toEqual([]);
    expect(checkRulePatterns([...rules, testCondition(1, "a", "regex", "x.{400}")], "")).toEqual([
      { path: "", message: expect.stringContaining(`at most ${RULE_PATTERN_INSTRUCTIONS_MAX} together`) },
    ]);
  });
});
