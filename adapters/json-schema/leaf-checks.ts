import { format as knownFormats } from "@cfworker/json-schema";
import type { Leaf } from "./compiled-schema.ts";
import { isSame } from "./equality.ts";
import { isMultipleOf } from "./multiple-of.ts";
import type { PatternBook } from "./pattern-book.ts";
import { isObject, type SchemaNode } from "./schema-node.ts";
import type { WorkMeter } from "./work-meter.ts";

/** Characters of a schema's value that a message shows. */
const SHOWN_LENGTH_MAX = 200;

/** What one keyword asks; `node` is the schema it stands in. Its value has been checked by `checkKeywords`. */
type LeafBuilder = (value: unknown, node: SchemaNode) => Leaf | null;

/** The checks of one schema that need no other schema, in the order in which their findings are told. */
export function buildLeaves(node: SchemaNode, keywords: ReadonlySet<string>, patterns: PatternBook): Leaf[] {
  const leaves: Leaf[] = [];
  for (const [keyword, build] of Object.entries(BUILDERS)) {
    if (!keywords.has(keyword) || !Object.hasOwn(node, keyword)) continue;
    const leaf = build(node[keyword], node);
    if (leaf !== null) leaves.push(leaf);
  }
  if (typeof node["pattern"] === "string") leaves.push(patternLeaf(node["pattern"], patterns));
  return leaves;
}

const BUILDERS: Record<string, LeafBuilder> = {
  type: (value) => typeLeaf(Array.isArray(value) ? (value as string[]) : [value as string]),
  const: (value) => (given, meter) =>
    isSame(given, value, meter) ? null : `The value is not ${shown(value)}.`,
  enum: (value) => enumLeaf(value as unknown[]),
  required: (value) => {
    const names = value as string[];
    return onObject((given, meter) => {
      meter.charge(names.length);
      const missing = names.find((name) => !Object.hasOwn(given, name));
      return missing === undefined ? null : `The property ${shown(missing)} is missing.`;
    });
  },
  dependentRequired: (value) => dependentNames(value as Record<string, unknown>),
  dependencies: (value) => dependentNames(value as Record<string, unknown>),
  minProperties: limit(countProperties, (n, min) => n >= min, "properties", "at least"),
  maxProperties: limit(countProperties, (n, max) => n <= max, "properties", "at most"),
  minItems: limit(countItems, (n, min) => n >= min, "elements", "at least"),
  maxItems: limit(countItems, (n, max) => n <= max, "elements", "at most"),
  minLength: limit(countCharacters, (n, min) => n >= min, "characters", "at least"),
  maxLength: limit(countCharacters, (n, max) => n <= max, "characters", "at most"),
  minimum: (value, node) =>
    node["exclusiveMinimum"] === true
      ? onNumber((n) => (n > (value as number) ? null : `The number must be above ${String(value)}.`))
      : onNumber((n) => (n >= (value as number) ? null : `The number must be at least ${String(value)}.`)),
  maximum: (value, node) =>
    node["exclusiveMaximum"] === true
      ? onNumber((n) => (n < (value as number) ? null : `The number must be below ${String(value)}.`))
      : onNumber((n) => (n <= (value as number) ? null : `The number must be at most ${String(value)}.`)),
  exclusiveMinimum: (value) =>
    typeof value === "number"
      ? onNumber((n) => (n > value ? null : `The number must be above ${value}.`))
      : null,
  exclusiveMaximum: (value) =>
    typeof value === "number"
      ? onNumber((n) => (n < value ? null : `The number must be below ${value}.`))
      : null,
  multipleOf: (value) =>
    onNumber((n) =>
      isMultipleOf(n, value as number) ? null : `The number is not a multiple of ${String(value)}.`,
    ),
  format: (value) => formatLeaf(value as string),
};

function patternLeaf(source: string, patterns: PatternBook): Leaf {
  const test = patterns.use(source);
  return onString((text, meter) =>
    test(text, meter) ? null : `The text does not match the pattern ${shown(source)}.`,
  );
}

const IS_TYPE: Record<string, (value: unknown) => boolean> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  integer: (value) => Number.isInteger(value),
  array: Array.isArray,
  object: isObject,
};

function typeLeaf(types: readonly string[]): Leaf {
  const checks = types.flatMap((type) => IS_TYPE[type] ?? []);
  const wanted = types.join(" or ");
  return (value) => {
    for (const check of checks) if (check(value)) return null;
    return `The value is ${typeName(value)}, not ${wanted}.`;
  };
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function enumLeaf(values: readonly unknown[]): Leaf {
  const plain = new Set(values.filter((value) => !isCompound(value)));
  const compound = values.filter(isCompound);
  const message = `The value is none of ${shown(values)}.`;
  return (given, meter) => {
    if (!isCompound(given)) return plain.has(given) ? null : message;
    return compound.some((value) => isSame(given, value, meter)) ? null : message;
  };
}

function isCompound(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function dependentNames(byName: Record<string, unknown>): Leaf {
  const entries = Object.entries(byName).filter((entry): entry is [string, string[]] =>
    Array.isArray(entry[1]),
  );
  return onObject((given, meter) => {
    for (const [name, needed] of entries) {
      meter.charge(1);
      if (!Object.hasOwn(given, name)) continue;
      meter.charge(needed.length);
      const missing = needed.find((other) => !Object.hasOwn(given, other));
      if (missing !== undefined) return `With ${shown(name)} the property ${shown(missing)} must be there.`;
    }
    return null;
  });
}

function formatLeaf(name: string): Leaf | null {
  // `url` is no format of any draft, and the library's expression for it takes exponential time.
  const judge = name !== "url" && Object.hasOwn(knownFormats, name) ? knownFormats[name] : undefined;
  if (judge === undefined) return null;
  return onString((text, meter) => {
    meter.charge(text.length);
    return judge(text) ? null : `The text is no ${name}.`;
  });
}

type Count = (value: unknown, meter: WorkMeter) => number | null;

function countItems(value: unknown): number | null {
  return Array.isArray(value) ? value.length : null;
}
function countProperties(value: unknown, meter: WorkMeter): number | null {
  if (!isObject(value)) return null;
  return meter.namesOf(value).length;
}
/** Unicode characters, as the drafts want, not UTF-16 units. */
function countCharacters(value: unknown, meter: WorkMeter): number | null {
  if (typeof value !== "string") return null;
  meter.charge(value.length / 8);
  let count = value.length;
  for (let i = 0; i + 1 < value.length; i++) {
    const isPair = (value.charCodeAt(i) & 0xfc00) === 0xd800 && (value.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (!isPair) continue;
    count--;
    i++;
  }
  return count;
}

function limit(
  count: Count,
  holds: (n: number, bound: number) => boolean,
  what: string,
  bound: "at least" | "at most",
): LeafBuilder {
  return (value) => (given, meter) => {
    const n = count(given, meter);
    return n === null || holds(n, value as number) ? null : `${n} ${what}, ${bound} ${String(value)}.`;
  };
}

function onNumber(check: (value: number) => string | null): Leaf {
  return (value) => (typeof value === "number" ? check(value) : null);
}
function onString(check: (value: string, meter: WorkMeter) => string | null): Leaf {
  return (value, meter) => (typeof value === "string" ? check(value, meter) : null);
}
function onObject(check: (value: Record<string, unknown>, meter: WorkMeter) => string | null): Leaf {
  return (value, meter) => (isObject(value) ? check(value, meter) : null);
}

/** A value of the schema in a message. */
function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, SHOWN_LENGTH_MAX)}…`;
}
