import { isObject, type SchemaFault, type SchemaNode } from "./schema-node.ts";

type Check = (value: unknown) => boolean;

const TYPES = new Set(["null", "boolean", "object", "array", "number", "integer", "string"]);
const isSchema: Check = (v) => typeof v === "boolean" || isObject(v);
const isString: Check = (v) => typeof v === "string";
const isNumber: Check = (v) => typeof v === "number";
const isCount: Check = (v) => Number.isInteger(v) && (v as number) >= 0;
const isStrings: Check = (v) => Array.isArray(v) && v.every(isString);
const isSchemas: Check = (v) => Array.isArray(v) && v.length > 0 && v.every(isSchema);
const mapOf =
  (check: Check): Check =>
  (v) =>
    isObject(v) && Object.values(v).every(check);
const either =
  (...checks: Check[]): Check =>
  (v) =>
    checks.some((check) => check(v));

function shape(
  names: string,
  check: Check,
  accepted: string,
): [string, { check: Check; accepted: string }][] {
  return names.split(" ").map((name) => [name, { check, accepted }]);
}

const SHAPES = new Map([
  ...shape(
    "additionalItems unevaluatedItems contains additionalProperties unevaluatedProperties propertyNames not if then else",
    isSchema,
    "a schema (an object or a boolean)",
  ),
  ...shape(
    "items",
    either(isSchema, (v) => Array.isArray(v) && v.every(isSchema)),
    "a schema or a list of schemas",
  ),
  ...shape("allOf anyOf oneOf prefixItems", isSchemas, "a list of one or more schemas"),
  ...shape(
    "properties patternProperties definitions $defs dependentSchemas",
    mapOf(isSchema),
    "an object of schemas",
  ),
  ...shape("dependencies", mapOf(either(isSchema, isStrings)), "an object of schemas or lists of names"),
  ...shape("dependentRequired", mapOf(isStrings), "an object of lists of names"),
  ...shape("required", isStrings, "a list of names"),
  ...shape(
    "type",
    either(
      (v) => TYPES.has(v as string),
      (v) => Array.isArray(v) && v.every((t) => TYPES.has(t as string)),
    ),
    `${[...TYPES].join(", ")} or a list of these`,
  ),
  ...shape("enum", Array.isArray, "a list"),
  ...shape("maximum minimum", isNumber, "a number"),
  ...shape(
    "exclusiveMaximum exclusiveMinimum",
    either(isNumber, (v) => typeof v === "boolean"),
    "a number",
  ),
  ...shape("multipleOf", (v) => typeof v === "number" && v > 0, "a number above 0"),
  ...shape(
    "maxLength minLength maxItems minItems maxProperties minProperties minContains maxContains",
    isCount,
    "a whole number, 0 or more",
  ),
  ...shape("uniqueItems", (v) => typeof v === "boolean", "a boolean"),
  ...shape("pattern format $ref $id $anchor $dynamicRef $dynamicAnchor $recursiveRef", isString, "a string"),
]);

/** Says which of a draft's keywords hold, in one schema object, something that the keyword cannot mean. */
export function checkKeywords(
  node: SchemaNode,
  pointer: string,
  keywords: ReadonlySet<string>,
): SchemaFault[] {
  const faults: SchemaFault[] = [];
  for (const [keyword, value] of Object.entries(node)) {
    const expected = keywords.has(keyword) ? SHAPES.get(keyword) : undefined;
    if (expected && !expected.check(value)) {
      faults.push({ pointer: `${pointer}/${keyword}`, message: `"${keyword}" must be ${expected.accepted}` });
    }
  }
  return faults;
}
