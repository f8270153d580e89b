import { SchemaCompiler } from "./compile-schema.ts";
import type { CompiledSchema } from "./compiled-schema.ts";
import { DIALECT_DEFAULT, DIALECTS, type Dialect, findDialect } from "./dialect.ts";
import { findSelfReference } from "./find-self-reference.ts";
import { IndexFault, SchemaIndex } from "./schema-index.ts";
import { isObject, type SchemaFault } from "./schema-node.ts";

export type PrepareOutcome = { ok: true; schema: CompiledSchema } | { ok: false; faults: SchemaFault[] };

/**
 * Compiles a parsed schema as its draft says (`$schema`; 2020-12 without one), or says why it cannot. Refused are
 * unknown drafts, misshapen keywords, patterns without a bound on their time, references to anything outside of the
 * schema, the drafts' own meta-schemas and `documents` (nothing is fetched), and references that go round without
 * descending into the document.
 */
export function prepareSchema(
  root: unknown,
  documents: ReadonlyMap<string, unknown> = new Map(),
): PrepareOutcome {
  if (typeof root !== "boolean" && !isObject(root)) {
    return refuse("", "a JSON Schema is an object or a boolean");
  }
  const dialect = dialectOf(root);
  if (dialect === null) {
    const accepted = DIALECTS.map(({ uri }) => uri).join(", ");
    return refuse("/$schema", `unknown draft; accepted: ${accepted}`);
  }
  const index = new SchemaIndex(documents);
  const compiler = new SchemaCompiler(index);
  try {
    const resource = index.add(root, dialect);
    const schema = compiler.compile({ schema: root, resource, pointer: "" });
    if (compiler.faults.length > 0) return { ok: false, faults: compiler.faults };
    const round = findSelfReference(compiler.all);
    if (round === null) return { ok: true, schema };
    return refuse("", `the reference ${JSON.stringify(round)} leads back to itself without an end`);
  } catch (error) {
    if (error instanceof IndexFault) return refuse(error.pointer, error.message);
    throw error;
  }
}

function dialectOf(root: unknown): Dialect | null {
  const named = isObject(root) ? root["$schema"] : undefined;
  if (named === undefined) return DIALECT_DEFAULT;
  return typeof named === "string" ? (findDialect(named) ?? null) : null;
}

function refuse(pointer: string, message: string): PrepareOutcome {
  return { ok: false, faults: [{ pointer, message }] };
}
