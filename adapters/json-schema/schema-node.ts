export type SchemaNode = Record<string, unknown>;

/** A fault of a schema; `pointer` is a JSON pointer into it. */
export interface SchemaFault {
  pointer: string;
  message: string;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const SCHEMA_LISTS = ["allOf", "anyOf", "oneOf", "prefixItems", "items"];
const SCHEMA_MAPS = [
  "properties",
  "patternProperties",
  "definitions",
  "$defs",
  "dependentSchemas",
  "dependencies",
];
const SCHEMAS = [
  "items",
  "additionalItems",
  "unevaluatedItems",
  "contains",
  "additionalProperties",
  "unevaluatedProperties",
  "propertyNames",
  "not",
  "if",
  "then",
  "else",
];
const isList = new Set(SCHEMA_LISTS);
const isMap = new Set(SCHEMA_MAPS);
const isSchema = new Set(SCHEMAS);

export interface Subschema {
  pointer: string;
  node: SchemaNode;
}

/** The object schemas directly inside a schema, below those of its keywords that mean something. */
export function subschemas(node: SchemaNode, pointer: string, keywords: ReadonlySet<string>): Subschema[] {
  const found: Subschema[] = [];
  const add = (value: unknown, at: string): void => {
    if (isObject(value)) found.push({ node: value, pointer: at });
  };
  for (const [keyword, value] of Object.entries(node)) {
    if (!keywords.has(keyword)) continue;
    const at = `${pointer}/${escapeToken(keyword)}`;
    if (Array.isArray(value)) {
      if (isList.has(keyword)) for (const [i, item] of value.entries()) add(item, `${at}/${i}`);
    } else if (isMap.has(keyword) && isObject(value)) {
      for (const [name, item] of Object.entries(value)) add(item, `${at}/${escapeToken(name)}`);
    } else if (isSchema.has(keyword)) add(value, at);
  }
  return found;
}

/** One segment of a JSON pointer (RFC 6901). */
export function escapeToken(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
