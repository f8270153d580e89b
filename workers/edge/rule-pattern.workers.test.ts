import { describe, expect, it } from "vitest";
import { beginMurmur3, finishMurmur3 } from "../../domain/release-rule/murmur3.ts";
import { MURMUR3_VECTORS, PATTERN_CASES } from "../../domain/release-rule/testing-rules.ts";
import { compileRulePattern } from "../../adapters/rule-pattern/compile-rule-pattern.ts";

/** The same tables pass in Node: adapters/rule-pattern and domain/release-rule. */
describe("C5 in workerd", () => {
  it.each(PATTERN_CASES)("%s in %j: %s", (source, text, found) => {
    expect(compileRulePattern(source)?.(text) ?? false).toBe(found);
  });

  it.each(MURMUR3_VECTORS)("%j with seed %i hashes as published", (text, seed, hash) => {
    expect(finishMurmur3(beginMurmur3("", seed), text)).toBe(hash);
  });
});
