import type { SchemaResource } from "./compiled-schema.ts";
import { type Dialect, findDialect } from "./dialect.ts";
import { META_SCHEMAS } from "./meta-schemas/meta-schemas.ts";
import { escapeToken, isObject, type SchemaNode, subschemas } from "./schema-node.ts";

/** Where a document without a name of its own stands; nothing is ever fetched from there. */
const NAMELESS = "https://schema.invalid/";

export interface SchemaPlace {
  resource: SchemaResource;
  /** JSON pointer from the document's root. */
  pointer: string;
}
export interface SchemaTarget extends SchemaPlace {
  schema: unknown;
}

/** A schema that cannot be told from another, or a name that is none. */
export class IndexFault extends Error {
  override readonly name = "IndexFault";
  readonly pointer: string;
  constructor(pointer: string, message: string) {
    super(message);
    this.pointer = pointer;
  }
}

/**
 * Knows every schema of a document by its names: identifiers, anchors, and JSON pointers when they are asked for. The
 * meta-schemas of all drafts are known too; nothing is fetched.
 */
export class SchemaIndex {
  readonly #resources = new Map<string, SchemaResource>();
  readonly #places = new Map<object, SchemaPlace>();
  readonly #documents: ReadonlyMap<string, unknown>;

  /** `documents`: others that references may name, by URI. */
  constructor(documents: ReadonlyMap<string, unknown> = new Map()) {
    this.#documents = documents;
  }

  /** Adds a document; its dialect is the one given unless it names another. Throws `IndexFault`. */
  add(root: unknown, dialect: Dialect, uri = NAMELESS): SchemaResource {
    const resource = newResource(uri, dialect, root);
    if (isObject(root)) this.#walk(root, { resource, pointer: "" }, true);
    else this.#register(uri, resource, "");
    return resource;
  }

  get resources(): Iterable<SchemaResource> {
    return this.#resources.values();
  }

  /** Where a schema stands that has been found. */
  placeOf(schema: object): SchemaPlace {
    const place = this.#places.get(schema);
    if (!place) throw new Error("a schema that was never found");
    return place;
  }

  /** The schema that a reference in a resource means; null when there is none. */
  find(reference: string, from: SchemaResource): SchemaTarget | null {
    const uri = resolve(reference, from.uri);
    if (uri === null) return null;
    const [base, fragment] = splitUri(uri);
    const resource = this.#resources.get(base) ?? this.#load(base, from.dialect);
    if (resource === undefined) return null;
    if (fragment === "") return this.#target(resource.root, resource, "");
    if (fragment.startsWith("/")) return this.#byPointer(resource, fragment);
    const anchored = resource.anchors.get(decodePercents(fragment) ?? "");
    return anchored === undefined ? null : { ...this.placeOf(anchored), schema: anchored };
  }

  #load(uri: string, dialect: Dialect): SchemaResource | undefined {
    const text = this.#documents.get(uri) ?? META_SCHEMAS.get(uri);
    if (text === undefined) return undefined;
    this.add(text, dialect, uri);
    return this.#resources.get(uri);
  }

  /** Without recursion, so that no schema is too deep for it. */
  #walk(root: SchemaNode, at: SchemaPlace, isDocument: boolean): void {
    const open = [{ node: root, ...at, isRoot: isDocument }];
    for (let top = open.pop(); top !== undefined; top = open.pop()) {
      const place = this.#name(top.node, top, top.isRoot);
      for (const { node, pointer } of subschemas(top.node, place.pointer, place.resource.dialect.keywords)) {
        if (!this.#places.has(node)) open.push({ node, resource: place.resource, pointer, isRoot: false });
      }
    }
  }

  /** Notes a schema's place and names; answers its place, in a resource of its own if it begins one. */
  #name(node: SchemaNode, { resource: outer, pointer }: SchemaPlace, isRoot: boolean): SchemaPlace {
    const dialect = dialectOf(node, outer.dialect, isRoot);
    let resource = outer;
    if (isRoot) {
      outer.dialect = dialect;
      this.#register(outer.uri, outer, pointer);
    }
    const id = identifierOf(node, dialect);
    if (id !== null) {
      const uri = resolve(id, outer.uri);
      if (uri === null) throw new IndexFault(pointer, `${JSON.stringify(id)} is no URI`);
      const [base, fragment] = splitUri(uri);
      const isAnchor = fragment !== "" && (base === outer.uri || id.startsWith("#"));
      if (isRoot && !isAnchor) outer.uri = base;
      else if (!isAnchor) resource = newResource(base, dialect, node);
      if (!isAnchor) this.#register(base, resource, pointer);
      if (fragment !== "" && dialect.referenceStandsAlone) resource.anchors.set(fragment, node);
    }
    noteAnchors(node, resource);
    const place = { resource, pointer };
    this.#places.set(node, place);
    return place;
  }

  #register(uri: string, resource: SchemaResource, pointer: string): void {
    const known = this.#resources.get(uri);
    if (known !== undefined && known.root !== resource.root) {
      throw new IndexFault(pointer, `two schemas are named ${JSON.stringify(uri)}`);
    }
    this.#resources.set(uri, resource);
  }

  #byPointer(resource: SchemaResource, fragment: string): SchemaTarget | null {
    let schema: unknown = resource.root;
    let within = resource;
    let pointer = isObject(schema) ? (this.#places.get(schema)?.pointer ?? "") : "";
    for (const token of fragment.split("/").slice(1)) {
      const key = decodeToken(token);
      if (key === null || typeof schema !== "object" || schema === null) return null;
      if (!Object.hasOwn(schema, key)) return null;
      schema = (schema as Record<string, unknown>)[key];
      pointer += `/${escapeToken(key)}`;
      const place = isObject(schema) ? this.#places.get(schema) : undefined;
      if (place !== undefined) within = place.resource;
    }
    return this.#target(schema, within, pointer);
  }

  /** A schema under a keyword that means nothing is looked at only now that someone refers to it. */
  #target(schema: unknown, resource: SchemaResource, pointer: string): SchemaTarget | null {
    if (typeof schema !== "boolean" && !isObject(schema)) return null;
    if (isObject(schema) && !this.#places.has(schema)) this.#walk(schema, { resource, pointer }, false);
    const place = isObject(schema) ? this.placeOf(schema) : { resource, pointer };
    return { ...place, schema };
  }
}

function newResource(uri: string, dialect: Dialect, root: unknown): SchemaResource {
  return { uri, dialect, root, anchors: new Map(), dynamicAnchors: new Map(), isRecursiveAnchor: false };
}

/** The name that a schema gives itself; null without one, and beside a reference that stands alone. */
function identifierOf(node: SchemaNode, dialect: Dialect): string | null {
  if (dialect.referenceStandsAlone && typeof node["$ref"] === "string") return null;
  const id = node[dialect.identifier];
  return typeof id === "string" && id !== "" && id !== "#" ? id : null;
}

function dialectOf(node: SchemaNode, outer: Dialect, isRoot: boolean): Dialect {
  const named = node["$schema"];
  const beginsResource = isRoot || typeof node["$id"] === "string" || typeof node["id"] === "string";
  return (beginsResource && typeof named === "string" ? findDialect(named) : undefined) ?? outer;
}

function noteAnchors(node: SchemaNode, resource: SchemaResource): void {
  const { keywords } = resource.dialect;
  const [anchor, dynamic] = [node["$anchor"], node["$dynamicAnchor"]];
  if (typeof anchor === "string" && keywords.has("$anchor")) resource.anchors.set(anchor, node);
  if (typeof dynamic === "string" && keywords.has("$dynamicAnchor")) {
    resource.anchors.set(dynamic, node);
    resource.dynamicAnchors.set(dynamic, node);
  }
  if (node["$recursiveAnchor"] === true && node === resource.root && keywords.has("$recursiveAnchor")) {
    resource.isRecursiveAnchor = true;
  }
}

function resolve(reference: string, base: string): string | null {
  return URL.canParse(reference, base) ? new URL(reference, base).href : null;
}

function splitUri(uri: string): [string, string] {
  const at = uri.indexOf("#");
  return at === -1 ? [uri, ""] : [uri.slice(0, at), uri.slice(at + 1)];
}

/** A token of a JSON pointer in a fragment as the name that it means. */
function decodeToken(token: string): string | null {
  return decodePercents(token)?.replaceAll("~1", "/").replaceAll("~0", "~") ?? null;
}

function decodePercents(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}
