import { dereference, type Schema, type SchemaDraft } from "@cfworker/json-schema";
import { format as knownFormats } from "@cfworker/json-schema";
import { checkKeywords } from "./check-keywords.ts";
import { findSelfReference } from "./find-self-reference.ts";
import {
  escapeToken,
  isObject,
  referenceUri,
  type SchemaFault,
  type SchemaNode,
  subschemas,
} from "./schema-node.ts";
import { PatternBook } from "./pattern-book.ts";

export interface PreparedSchema {
  schema: Schema | boolean;
  draft: SchemaDraft;
  /** Whether some array must be compared with itself. */
  comparesItems: boolean;
  /** Every pattern of the schema. */
  patterns: PatternBook;
}
export type PrepareOutcome = { ok: true; prepared: PreparedSchema } | { ok: false; faults: SchemaFault[] };

const DRAFTS: Record<string, SchemaDraft> = {
  "http://json-schema.org/draft-04/schema": "4",
  // Draft 7 is draft 6 with if/then/else and formats added, so draft 6 is draft 7 without if/then/else.
  "http://json-schema.org/draft-06/schema": "7",
  "http://json-schema.org/draft-07/schema": "7",
  "https://json-schema.org/draft/2019-09/schema": "2019-09",
  "https://json-schema.org/draft/2020-12/schema": "2020-12",
};
const DRAFT_6 = "http://json-schema.org/draft-06/schema";
const DRAFT_DEFAULT: SchemaDraft = "2020-12";

/**
 * Turns a parsed schema into one that the validator treats as its draft says, or says why it cannot. Changes `root`.
 * What is rewritten: patterns (see `PatternBook`); formats nobody knows are dropped, as the drafts want; `id` and
 * `$id` count only in the drafts that define them; boolean exclusive limits outside draft 4; `$dynamicRef`, which means
 * `$ref` as long as its anchor is unique. What is refused: unknown drafts, misshapen keywords, references to anything
 * outside the schema (nothing is fetched), references that go round without descending into the document.
 */
export function prepareSchema(root: unknown): PrepareOutcome {
  if (typeof root === "boolean") {
    return {
      ok: true,
      prepared: { schema: root, draft: DRAFT_DEFAULT, comparesItems: false, patterns: new PatternBook() },
    };
  }
  if (!isObject(root)) return refuse("", "a JSON Schema is an object or a boolean");
  const named = draftOf(root);
  if (named === null) {
    const accepted = Object.keys(DRAFTS).join(", ");
    return refuse("/$schema", `unknown draft; accepted: ${accepted}`);
  }
  const rewriter = new Rewriter(named.draft, named.withoutConditions);
  rewriter.walk(root);
  if (rewriter.faults.length > 0) return { ok: false, faults: rewriter.faults };
  const faults = referenceFaults(root);
  if (faults.length > 0) return { ok: false, faults };
  return {
    ok: true,
    prepared: {
      schema: root,
      draft: named.draft,
      comparesItems: rewriter.comparesItems,
      patterns: rewriter.patterns,
    },
  };
}

/** `url` is no format of any draft, and the validator's expression for it takes exponential time. */
function isJudgedFormat(format: string): boolean {
  return format !== "url" && Object.hasOwn(knownFormats, format);
}

function draftOf(root: SchemaNode): { draft: SchemaDraft; withoutConditions: boolean } | null {
  const uri = root["$schema"];
  if (uri === undefined) return { draft: DRAFT_DEFAULT, withoutConditions: false };
  if (typeof uri !== "string") return null;
  const bare = uri.replace(/#$/, "");
  const key = Object.keys(DRAFTS).find((d) => d.replace(/^https?:/, "") === bare.replace(/^https?:/, ""));
  const draft = key === undefined ? undefined : DRAFTS[key];
  return draft === undefined ? null : { draft, withoutConditions: key === DRAFT_6 };
}

class Rewriter {
  readonly faults: SchemaFault[] = [];
  readonly patterns = new PatternBook();
  comparesItems = false;
  readonly #draft: SchemaDraft;
  readonly #withoutConditions: boolean;
  readonly #dynamicAnchors = new Set<string>();

  constructor(draft: SchemaDraft, withoutConditions: boolean) {
    this.#draft = draft;
    this.#withoutConditions = withoutConditions;
  }

  /** Without recursion, so that no schema is too deep for it. */
  walk(root: SchemaNode): void {
    const open = [{ node: root, pointer: "", known: true }];
    for (let top = open.pop(); top !== undefined; top = open.pop()) {
      if (top.known) this.#schema(top.node, top.pointer);
      // Under an unknown keyword: dead text unless referred to; it must not give names to anything.
      else {
        for (const name of ["id", "$id", "$anchor", "$dynamicAnchor"]) delete top.node[name];
        if (top.node["format"] === "url") delete top.node["format"];
        // A pattern at fault is refused there only when it is used.
        this.#patterns(top.node, top.pointer, []);
      }
      for (const sub of subschemas(top.node, top.pointer)) {
        open.push({ node: sub.node, pointer: sub.pointer, known: top.known && sub.known });
      }
    }
  }

  #schema(node: SchemaNode, pointer: string): void {
    const misshapen = checkKeywords(node, pointer);
    if (misshapen.length > 0) {
      this.faults.push(...misshapen);
      return;
    }
    this.#identifiers(node);
    if (this.#withoutConditions) for (const name of ["if", "then", "else"]) delete node[name];
    if (typeof node["format"] === "string" && !isJudgedFormat(node["format"])) delete node["format"];
    if (node["uniqueItems"] === true) this.comparesItems = true;
    if (this.#draft !== "4") this.#exclusiveLimits(node);
    this.#patterns(node, pointer, this.faults);
    this.#dynamicReference(node, pointer);
  }

  #identifiers(node: SchemaNode): void {
    delete node[this.#draft === "4" ? "$id" : "id"];
    if (typeof node["id"] !== "string") delete node["id"];
  }

  #exclusiveLimits(node: SchemaNode): void {
    for (const [flag, limit] of [
      ["exclusiveMinimum", "minimum"],
      ["exclusiveMaximum", "maximum"],
    ] as const) {
      if (typeof node[flag] !== "boolean") continue;
      if (node[flag] && node[limit] !== undefined) {
        node[flag] = node[limit];
        delete node[limit];
      } else delete node[flag];
    }
  }

  #patterns(node: SchemaNode, pointer: string, faults: SchemaFault[]): void {
    const convert = (pattern: string, at: string): string => {
      const added = this.patterns.add(pattern);
      if (added.ok) return added.pattern;
      faults.push({ pointer: at, message: added.message });
      return pattern;
    };
    if (typeof node["pattern"] === "string") node["pattern"] = convert(node["pattern"], `${pointer}/pattern`);
    const byPattern = node["patternProperties"];
    if (!isObject(byPattern)) return;
    for (const [pattern, schema] of Object.entries(byPattern)) {
      const strict = convert(pattern, `${pointer}/patternProperties/${escapeToken(pattern)}`);
      if (strict === pattern) continue;
      delete byPattern[pattern];
      byPattern[strict] = Object.hasOwn(byPattern, strict) ? { allOf: [byPattern[strict], schema] } : schema;
    }
  }

  #dynamicReference(node: SchemaNode, pointer: string): void {
    const anchor = node["$dynamicAnchor"];
    if (typeof anchor === "string") {
      if (this.#dynamicAnchors.has(anchor)) {
        this.faults.push({
          pointer: `${pointer}/$dynamicAnchor`,
          message: "a dynamic anchor that stands twice is not supported",
        });
      }
      this.#dynamicAnchors.add(anchor);
      node["$anchor"] ??= anchor;
      delete node["$dynamicAnchor"];
    }
    const reference = node["$dynamicRef"];
    if (typeof reference !== "string") return;
    delete node["$dynamicRef"];
    if (node["$ref"] === undefined) node["$ref"] = reference;
    else node["allOf"] = [...((node["allOf"] as unknown[] | undefined) ?? []), { $ref: reference }];
  }
}

/** References that lead out of the schema or round in it. */
function referenceFaults(root: SchemaNode): SchemaFault[] {
  let lookup: Record<string, Schema | boolean>;
  try {
    lookup = dereference(root);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ pointer: "", message: `its identifiers and references cannot be resolved: ${reason}` }];
  }
  const faults = new Map<string, SchemaFault>();
  for (const schema of Object.values(lookup)) {
    if (!isObject(schema)) continue;
    const uri = referenceUri(schema);
    if (uri === undefined || lookup[uri] !== undefined) continue;
    const reference = schema.$ref ?? uri;
    const message = `"$ref": ${JSON.stringify(reference)} is not in this schema, and nothing is fetched: copy it into "$defs"`;
    faults.set(reference, { pointer: "", message });
  }
  if (faults.size > 0) return [...faults.values()];
  const round = findSelfReference(Object.values(lookup), lookup);
  return round === null
    ? []
    : [{ pointer: "", message: `"$ref": ${JSON.stringify(round)} leads back to itself without an end` }];
}

function refuse(pointer: string, message: string): PrepareOutcome {
  return { ok: false, faults: [{ pointer, message }] };
}
