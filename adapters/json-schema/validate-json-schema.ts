import { SCHEMA_BYTES_MAX } from "../../contracts/limits.ts";
import { ConfluxError, type FieldError } from "../../contracts/problem/error-codes.ts";
import type { Locate } from "../../domain/config/format-plugin.ts";
import { jsonPlugin } from "../format/json-plugin.ts";
import { type CompiledSchema, FindingList, type Frame, type SchemaFinding } from "./compiled-schema.ts";
import { evaluate } from "./evaluate.ts";
import { prepareSchema } from "./prepare-schema.ts";
import { escapeToken } from "./schema-node.ts";
import { DocumentTooHard, WorkMeter } from "./work-meter.ts";

/** Errors in one answer. */
export const SCHEMA_ERRORS_MAX = 50;

export interface SchemaInput {
  /** JSON text of the schema. */
  schema: string;
  /** The parsed document; as format plugins give it, so not deeper than `CONTENT_DEPTH_MAX`. */
  value: unknown;
  locate?: Locate | undefined;
  /** Schemas that the schema may refer to, by URI; nothing else is ever fetched. */
  documents?: ReadonlyMap<string, unknown> | undefined;
}

/**
 * Judges a document by a JSON Schema of draft 4, 6, 7, 2019-09 or 2020-12 (the default), formats asserted (C3).
 * Answers the errors, none for a valid document: paths are JSON pointers below `/content`, at most
 * `SCHEMA_ERRORS_MAX`. Work is bounded by `SCHEMA_STEPS_MAX`, and `pause` is awaited after every `SCHEMA_SLICE_STEPS` of
 * it, so that others get their turn. Throws `validation_failed` with paths below `/schema` when the schema itself is at
 * fault.
 */
export async function validateJsonSchema(
  input: SchemaInput,
  pause: () => Promise<void>,
): Promise<FieldError[]> {
  const judging = judgeDocument(input);
  for (;;) {
    const step = judging.next();
    if (step.done === true) return step.value;
    await pause();
  }
}

/** The same, a slice of work at each `next`. */
export function* judgeDocument({
  schema,
  value,
  locate,
  documents,
}: SchemaInput): Generator<void, FieldError[]> {
  const compiled = readSchema(schema, documents);
  yield;
  try {
    if (yield* evaluate(compiled, frameOf(value, null))) return [];
  } catch (error) {
    if (error instanceof DocumentTooHard) return [{ path: "/content", message: error.message }];
    throw error;
  }
  return yield* toFieldErrors(yield* listFindings(compiled, value), locate);
}

/** Throws `validation_failed` with paths below `/schema` when the text is no schema that can judge a document. */
export function checkSchema(text: string): void {
  readSchema(text, undefined);
}

/** What is wrong with a document that has failed; when finding everything is too much work, what was found. */
function* listFindings(schema: CompiledSchema, value: unknown): Generator<void, SchemaFinding[]> {
  const list = new FindingList(SCHEMA_ERRORS_MAX);
  try {
    yield* evaluate(schema, frameOf(value, list));
  } catch (error) {
    if (!(error instanceof DocumentTooHard)) throw error;
    list.add(null, "The document does not satisfy its schema, and is too large for it to say where.");
  }
  return list.findings;
}

function frameOf(value: unknown, list: FindingList | null): Frame {
  const frame = { value, path: null, scope: null, evaluated: null, list, depth: 0 };
  return { ...frame, meter: new WorkMeter() };
}

function readSchema(text: string, documents: SchemaInput["documents"]): CompiledSchema {
  const bytes = new TextEncoder().encode(text);
  if (bytes.byteLength > SCHEMA_BYTES_MAX) {
    throw schemaError([{ path: "/schema", message: `larger than ${SCHEMA_BYTES_MAX} bytes` }]);
  }
  const parsed = jsonPlugin.parse(bytes);
  if (!parsed.ok) throw schemaError(parsed.errors.map((e) => ({ path: "/schema", ...e })));
  const outcome = prepareSchema(parsed.value, documents);
  if (outcome.ok) return outcome.schema;
  throw schemaError(outcome.faults.map((f) => ({ path: `/schema${f.pointer}`, message: f.message })));
}

function schemaError(errors: readonly FieldError[]): ConfluxError {
  const shown = errors.slice(0, SCHEMA_ERRORS_MAX);
  return new ConfluxError("validation_failed", "The JSON Schema cannot be used", { errors: shown });
}

function* toFieldErrors(
  findings: readonly SchemaFinding[],
  locate: SchemaInput["locate"],
): Generator<void, FieldError[]> {
  const unique = new Map<string, { keys: string[]; error: FieldError }>();
  for (const { path, message } of findings) {
    const keys: string[] = [];
    for (let at = path; at !== null; at = at.parent) keys.unshift(String(at.key));
    const pointer = keys.map((key) => `/${escapeToken(key)}`).join("");
    const key = `${pointer}\u0000${message}`;
    if (unique.has(key)) continue;
    unique.set(key, { keys, error: { path: `/content${pointer}`, message } });
  }
  const found = [...unique.values()];
  const positions = locate === undefined ? [] : yield* locate(found.map(({ keys }) => keys));
  return found.map(({ error }, i) => ({ ...error, ...positions[i] }));
}
