import { expect, it } from "vitest";
import { validateAtOnce } from "../../adapters/json-schema/testing-validate.ts";

it("C3 answers a catastrophic pattern inside workerd", () => {
  const schema = JSON.stringify({ pattern: "^(?!b)(a+)+$", patternProperties: { "^(a+)+$": false } });
  expect(validateAtOnce({ schema, value: "aaa" })).toEqual([]);
  expect(validateAtOnce({ schema, value: `${"a".repeat(50_000)}!` })).toHaveLength(1);
  expect(validateAtOnce({ schema, value: { [`${"a".repeat(50_000)}!`]: 1 } })).toEqual([]);
  expect(validateAtOnce({ schema, value: { aa: 1 } })).toHaveLength(1);
});
