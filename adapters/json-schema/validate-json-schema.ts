import { type OutputUnit, Validator } from "@cfworker/json-schema";
import { SCHEMA_BYTES_MAX } from "../../contracts/limits.ts";
import { ConfluxError, type FieldError } from "../../contracts/problem/error-codes.ts";
import type { TextPosition } from "../../domain/config/format-plugin.ts";
import { jsonPlugin } from "../format/json-plugin.ts";
import { DocumentTooHard, PatternRefused } from "./pattern-book.ts";
import { prepareSchema, type PreparedSchema } from "./prepare-schema.ts";
import { withPatterns } from "./with-patterns.ts";

/** Errors in one answer. */
export const SCHEMA_ERRORS_MAX = 50;
/** Elements of an array that `uniqueItems` may have to compare, each with every other. */
export const UNIQUE_ITEMS_MAX = 5_000;
/** Values in a document up to which all of its errors are looked for; in a larger one, the first. */
export const ALL_ERRORS_VALUES_MAX = 20_000;

export interface SchemaInput {
  /** JSON text of the schema. */
  schema: string;
  /** The parsed document; as format plugins give it, so not deeper than `CONTENT_DEPTH_MAX`. */
  value: unknown;
  locate?: ((path: readonly string[]) => TextPosition | null) | undefined;
}

/**
 * Judges a document by a JSON Schema of draft 4, 6, 7, 2019-09 or 2020-12 (the default), formats asserted (C3).
 * Answers the errors, none for a valid document: paths are JSON pointers below `/content`, at most
 * `SCHEMA_ERRORS_MAX`. Throws `validation_failed` with paths below `/schema` when the schema itself is at fault.
 */
export function validateJsonSchema({ schema, value, locate }: SchemaInput): FieldError[] {
  const prepared = readSchema(schema);
  const size = measure(value);
  if (prepared.comparesItems && size.longestArray > UNIQUE_ITEMS_MAX) {
    const message = `"uniqueItems" is not checked in arrays of more than ${UNIQUE_ITEMS_MAX} elements`;
    return [{ path: "/content", message }];
  }
  const first = run(prepared, value, true);
  if (first.length === 0) return [];
  const all = size.values <= ALL_ERRORS_VALUES_MAX ? run(prepared, value, false) : first;
  // The first error says more than that looking for all of them was given up.
  return toFieldErrors(all[0]?.keyword === atRoot.keyword ? first : all, locate);
}

function readSchema(text: string): PreparedSchema {
  const bytes = new TextEncoder().encode(text);
  if (bytes.byteLength > SCHEMA_BYTES_MAX) {
    throw schemaError([{ path: "/schema", message: `larger than ${SCHEMA_BYTES_MAX} bytes` }]);
  }
  const parsed = jsonPlugin.parse(bytes);
  if (!parsed.ok) throw schemaError(parsed.errors.map((e) => ({ path: "/schema", ...e })));
  const outcome = prepareSchema(parsed.value);
  if (!outcome.ok) {
    throw schemaError(outcome.faults.map((f) => ({ path: `/schema${f.pointer}`, message: f.message })));
  }
  return outcome.prepared;
}

function schemaError(errors: readonly FieldError[]): ConfluxError {
  const shown = errors.slice(0, SCHEMA_ERRORS_MAX);
  return new ConfluxError("validation_failed", "The JSON Schema cannot be used", { errors: shown });
}

function run({ schema, draft, patterns }: PreparedSchema, value: unknown, stopEarly: boolean): OutputUnit[] {
  try {
    return withPatterns(patterns, () => new Validator(schema, draft, stopEarly).validate(value).errors);
  } catch (error) {
    // The validator passes lists of errors as arguments; a list too long for the stack means a document far off.
    if (error instanceof RangeError) return [tooMany];
    if (error instanceof URIError) return [notUnicode];
    if (error instanceof DocumentTooHard) return [{ ...atRoot, error: error.message }];
    if (error instanceof PatternRefused) throw schemaError([{ path: "/schema", message: error.message }]);
    throw error;
  }
}

const atRoot = { keyword: "document", keywordLocation: "#", instanceLocation: "#" };
const tooMany: OutputUnit = { ...atRoot, error: "The document fails its schema in too many places to list." };
const notUnicode: OutputUnit = { ...atRoot, error: "A name in the document is not well-formed Unicode." };

function measure(root: unknown): { values: number; longestArray: number } {
  let values = 0;
  let longestArray = 0;
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    values++;
    if (typeof value !== "object" || value === null) continue;
    if (Array.isArray(value)) longestArray = Math.max(longestArray, value.length);
    for (const child of Array.isArray(value) ? (value as unknown[]) : Object.values(value)) open.push(child);
  }
  return { values, longestArray };
}

/** Keywords that only say that something below them failed, which is then an error of its own. */
const RELAYS = new Set([
  "properties",
  "patternProperties",
  "additionalProperties",
  "unevaluatedProperties",
  "propertyNames",
  "items",
  "prefixItems",
  "additionalItems",
  "unevaluatedItems",
  "allOf",
  "if",
  "$ref",
  "$recursiveRef",
  "dependentSchemas",
]);

function toFieldErrors(units: readonly OutputUnit[], locate: SchemaInput["locate"]): FieldError[] {
  const causes = units.filter((unit) => !RELAYS.has(unit.keyword));
  const unique = new Map<string, FieldError>();
  for (const unit of causes.length > 0 ? causes : units) {
    const pointer = decodeURIComponent(unit.instanceLocation.slice(1));
    const message = unit.keyword === "false" ? "Nothing is allowed here." : unit.error;
    const key = `${pointer}\u0000${message}`;
    if (unique.has(key)) continue;
    const position = locate?.(pointerPath(pointer)) ?? null;
    unique.set(key, { path: `/content${pointer}`, message, ...position });
    if (unique.size >= SCHEMA_ERRORS_MAX) break;
  }
  return [...unique.values()];
}

function pointerPath(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}
