import { applyContains, applyItems, applyUnevaluatedItems, applyUniqueItems } from "./array-appliers.ts";
import type { CompiledSchema } from "./compiled-schema.ts";
import { applyAllOf, applyAnyOf, applyConditions, applyNot, applyOneOf } from "./in-place-appliers.ts";
import {
  applyDependentSchemas,
  applyProperties,
  applyPropertyNames,
  applyUnevaluatedProperties,
} from "./object-appliers.ts";
import type { PatternBook } from "./pattern-book.ts";
import { isObject, type SchemaNode } from "./schema-node.ts";

type Compile = (schema: unknown) => CompiledSchema;

/** Adds the keywords of a schema that apply other schemas, in the order in which they must come. */
export function buildAppliers(
  compiled: CompiledSchema,
  node: SchemaNode,
  patterns: PatternBook,
  compile: Compile,
): void {
  const { keywords } = compiled.resource.dialect;
  const get = (keyword: string): unknown => (keywords.has(keyword) ? node[keyword] : undefined);
  const one = (keyword: string): CompiledSchema | null => {
    const schema = get(keyword);
    return schema === undefined || Array.isArray(schema) ? null : compile(schema);
  };
  const list = (keyword: string): CompiledSchema[] => {
    const schemas = get(keyword);
    return Array.isArray(schemas) ? schemas.map(compile) : [];
  };
  const inPlace = (schemas: readonly (CompiledSchema | null)[]): void => {
    for (const schema of schemas) if (schema !== null) compiled.inPlace.push({ schema, reference: null });
  };
  const parts = { compiled, get, one, list, inPlace, compile };
  addInPlace(parts);
  addObjects(parts, patterns);
  addArrays(parts);
  const [properties, items] = [one("unevaluatedProperties"), one("unevaluatedItems")];
  if (properties !== null) compiled.appliers.push(applyUnevaluatedProperties(properties));
  if (items !== null) compiled.appliers.push(applyUnevaluatedItems(items));
  compiled.asksEvaluated = properties !== null || items !== null;
}

interface Parts {
  compiled: CompiledSchema;
  get: (keyword: string) => unknown;
  /** The schema that a keyword holds; null when it holds none. */
  one: (keyword: string) => CompiledSchema | null;
  list: (keyword: string) => CompiledSchema[];
  /** Notes schemas that judge the same value. */
  inPlace: (schemas: readonly (CompiledSchema | null)[]) => void;
  compile: Compile;
}

function addInPlace({ compiled: { appliers }, one, list, inPlace, get }: Parts): void {
  const [all, any, oneOf] = [list("allOf"), list("anyOf"), list("oneOf")];
  const [not, condition, yes, no] = [one("not"), one("if"), one("then"), one("else")];
  inPlace([...all, ...any, ...oneOf, not, condition]);
  if (all.length > 0) appliers.push(applyAllOf(all));
  if (get("anyOf") !== undefined) appliers.push(applyAnyOf(any));
  if (get("oneOf") !== undefined) appliers.push(applyOneOf(oneOf));
  if (not !== null) appliers.push(applyNot(not));
  if (condition === null) return;
  inPlace([yes, no]);
  appliers.push(applyConditions(condition, yes, no));
}

function addObjects({ compiled: { appliers }, get, one, inPlace, compile }: Parts, book: PatternBook): void {
  const schemasOf = (keyword: string): [string, CompiledSchema][] => {
    const map = get(keyword);
    if (!isObject(map)) return [];
    return Object.entries(map).flatMap(([name, schema]) =>
      Array.isArray(schema) ? [] : [[name, compile(schema)] as const],
    ) as [string, CompiledSchema][];
  };
  const named = new Map(schemasOf("properties"));
  const patterns = schemasOf("patternProperties").map(([source, schema]) => ({
    test: book.use(source),
    schema,
  }));
  const others = one("additionalProperties");
  if (named.size > 0 || patterns.length > 0 || others !== null) {
    appliers.push(applyProperties({ named, patterns, others }));
  }
  const names = one("propertyNames");
  if (names !== null) appliers.push(applyPropertyNames(names));
  for (const keyword of ["dependentSchemas", "dependencies"]) {
    const dependent = new Map(schemasOf(keyword));
    inPlace([...dependent.values()]);
    if (dependent.size > 0) appliers.push(applyDependentSchemas(dependent));
  }
}

function addArrays({ compiled: { appliers, resource }, get, one, list }: Parts): void {
  const hasOldList = Array.isArray(get("items"));
  const first = hasOldList ? list("items") : list("prefixItems");
  const others = hasOldList ? one("additionalItems") : one("items");
  if (first.length > 0 || others !== null) appliers.push(applyItems(first, others));
  const contains = one("contains");
  if (contains !== null) {
    const [min, max] = [get("minContains"), get("maxContains")];
    const bounds = { min: typeof min === "number" ? min : 1, max: typeof max === "number" ? max : Infinity };
    appliers.push(applyContains(contains, { ...bounds, evaluates: resource.dialect.containsEvaluates }));
  }
  if (get("uniqueItems") === true) appliers.push(applyUniqueItems);
}
