import { buildAppliers } from "./build-appliers.ts";
import { checkKeywords } from "./check-keywords.ts";
import type { CompiledSchema, SchemaResource } from "./compiled-schema.ts";
import { applyDynamicReference, applyReference, type SchemaSlot } from "./in-place-appliers.ts";
import { buildLeaves } from "./leaf-checks.ts";
import { PatternBook } from "./pattern-book.ts";
import { type SchemaIndex, type SchemaTarget } from "./schema-index.ts";
import { escapeToken, isObject, type SchemaFault, type SchemaNode, subschemas } from "./schema-node.ts";

/** Turns schemas into what can judge, each once; notes what is wrong with them. */
export class SchemaCompiler {
  readonly faults: SchemaFault[] = [];
  readonly #index: SchemaIndex;
  readonly #patterns = new PatternBook();
  readonly #compiled = new Map<unknown, CompiledSchema>();
  #pending: (() => void)[] = [];

  constructor(index: SchemaIndex) {
    this.#index = index;
  }

  /** Compiles a schema and all that it can come to. */
  compile(target: SchemaTarget): CompiledSchema {
    const compiled = this.#schema(target.schema, target.resource);
    for (let known = -1; known !== this.#compiled.size;) {
      known = this.#compiled.size;
      const pending = this.#pending;
      this.#pending = [];
      for (const resolve of pending) resolve();
      for (const resource of this.#index.resources) this.#dynamicTargets(resource);
    }
    return compiled;
  }

  /** Every schema compiled so far. */
  get all(): Iterable<CompiledSchema> {
    return this.#compiled.values();
  }

  /** Which of them a dynamic reference means is seen only while judging. */
  #dynamicTargets(resource: SchemaResource): void {
    for (const schema of resource.dynamicAnchors.values()) this.#schema(schema, resource);
    if (resource.isRecursiveAnchor) this.#schema(resource.root, resource);
  }

  #schema(schema: unknown, outer: SchemaResource): CompiledSchema {
    const known = this.#compiled.get(schema);
    if (known !== undefined) return known;
    const place = isObject(schema) ? this.#index.placeOf(schema) : { resource: outer, pointer: "" };
    const compiled: CompiledSchema = {
      resource: place.resource,
      leaves: schema === false ? [() => "Nothing is allowed here."] : [],
      appliers: [],
      asksEvaluated: false,
      inPlace: [],
    };
    this.#compiled.set(schema, compiled);
    if (isObject(schema)) this.#fill(compiled, schema, place.pointer);
    return compiled;
  }

  #fill(compiled: CompiledSchema, node: SchemaNode, pointer: string): void {
    const { resource } = compiled;
    const { keywords, referenceStandsAlone } = resource.dialect;
    const misshapen = checkKeywords(node, pointer, keywords);
    this.faults.push(...misshapen);
    if (misshapen.length > 0) return;
    for (const sub of subschemas(node, pointer, keywords)) this.#schema(sub.node, resource);
    this.#references(compiled, node, pointer);
    if (referenceStandsAlone && node["$ref"] !== undefined) return;
    this.#addPatterns(node, pointer);
    compiled.leaves.push(...buildLeaves(node, keywords, this.#patterns));
    buildAppliers(compiled, node, this.#patterns, (schema) => this.#schema(schema, resource));
  }

  #addPatterns(node: SchemaNode, pointer: string): void {
    const add = (pattern: string, at: string): void => {
      const message = this.#patterns.add(pattern);
      if (message !== null) this.faults.push({ pointer: at, message });
    };
    if (typeof node["pattern"] === "string") add(node["pattern"], `${pointer}/pattern`);
    if (!isObject(node["patternProperties"])) return;
    for (const pattern of Object.keys(node["patternProperties"])) {
      add(pattern, `${pointer}/patternProperties/${escapeToken(pattern)}`);
    }
  }

  #references(compiled: CompiledSchema, node: SchemaNode, pointer: string): void {
    const { keywords } = compiled.resource.dialect;
    for (const keyword of ["$ref", "$dynamicRef", "$recursiveRef"]) {
      const reference = node[keyword];
      if (typeof reference !== "string" || !keywords.has(keyword)) continue;
      const slot: SchemaSlot = { schema: compiled };
      const at = compiled.appliers.push(applyReference(slot)) - 1;
      this.#pending.push(() => {
        const target = this.#index.find(reference, compiled.resource);
        if (target === null) {
          const message = `${JSON.stringify(reference)} is not in this schema, and nothing is fetched: copy it into "$defs"`;
          this.faults.push({ pointer: `${pointer}/${keyword}`, message });
          return;
        }
        slot.schema = this.#schema(target.schema, target.resource);
        compiled.inPlace.push({ schema: slot.schema, reference });
        const find = keyword === "$ref" ? null : this.#dynamicFind(keyword, reference, target);
        if (find !== null) compiled.appliers[at] = applyDynamicReference(slot, find);
      });
    }
  }

  /** How a dynamic reference finds its target in a resource; null when it means the same everywhere. */
  #dynamicFind(
    keyword: string,
    reference: string,
    target: SchemaTarget,
  ): ((resource: SchemaResource) => CompiledSchema | null) | null {
    if (keyword === "$recursiveRef") {
      if (!target.resource.isRecursiveAnchor || target.schema !== target.resource.root) return null;
      return ({ isRecursiveAnchor, root }) => (isRecursiveAnchor ? (this.#compiled.get(root) ?? null) : null);
    }
    const name = reference.slice(reference.indexOf("#") + 1);
    if (!reference.includes("#") || target.resource.dynamicAnchors.get(name) !== target.schema) return null;
    return ({ dynamicAnchors }) => {
      const anchored = dynamicAnchors.get(name);
      return anchored === undefined ? null : (this.#compiled.get(anchored) ?? null);
    };
  }
}
