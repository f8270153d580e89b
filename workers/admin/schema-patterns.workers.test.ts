import { expect, it } from "vitest";
import { validateJsonSchema } from "../../adapters/json-schema/validate-json-schema.ts";

it("C3 answers a catastrophic pattern inside workerd", () => {
  const schema = JSON.stringify({ pattern: "^(?!b)(a+)+$", patternProperties: { "^(a+)+$": false } });
  expect(validateJsonSchema({ schema, value: "aaa" })).toEqual([]);
  expect(validateJsonSchema({ schema, value: `${"a".repeat(50_000)}!` })).toHaveLength(1);
  expect(validateJsonSchema({ schema, value: { [`${"a".repeat(50_000)}!`]: 1 } })).toEqual([]);
  expect(validateJsonSchema({ schema, value: { aa: 1 } })).toHaveLength(1);
});
