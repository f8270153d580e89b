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
/** Their values are data, never schemas. */
const DATA = new Set(["enum", "const", "default", "examples", "required", "type", "dependentRequired"]);

export interface Subschema {
  keyword: string;
  pointer: string;
  node: SchemaNode;
  /** False below a keyword that no draft knows: it may be a schema someone refers to, or anything else. */
  known: boolean;
}

/** The object schemas directly inside a schema, with their pointers. */
export function subschemas(node: SchemaNode, pointer: string): Subschema[] {
  const found: Subschema[] = [];
  const add = (keyword: string, value: unknown, at: string, known: boolean): void => {
    if (isObject(value)) found.push({ keyword, node: value, pointer: at, known });
  };
  for (const [keyword, value] of Object.entries(node)) {
    const at = `${pointer}/${escapeToken(keyword)}`;
    if (DATA.has(keyword)) continue;
    if (Array.isArray(value)) {
      if (!SCHEMA_LISTS.includes(keyword)) continue;
      for (const [i, item] of value.entries()) add(keyword, item, `${at}/${i}`, true);
    } else if (SCHEMA_MAPS.includes(keyword) && isObject(value)) {
      for (const [name, item] of Object.entries(value))
        add(keyword, item, `${at}/${escapeToken(name)}`, true);
    } else add(keyword, value, at, SUBSCHEMA_KEYWORDS.has(keyword));
  }
  return found;
}

const SUBSCHEMA_KEYWORDS = new Set([
  ...["items", "additionalItems", "unevaluatedItems", "contains", "additionalProperties"],
  ...["unevaluatedProperties", "propertyNames", "not", "if", "then", "else"],
]);

/** One segment of a JSON pointer (RFC 6901). */
export function escapeToken(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
