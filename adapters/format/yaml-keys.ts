import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type Scalar,
  visit,
  type YAMLMap,
} from "yaml";

export interface YamlFault {
  message: string;
  offset: number;
}

/**
 * Finds what the parser leaves to whoever makes data of the document: keys that stand twice in a map, merge keys (`<<`)
 * that copy more than `copiesMax` entries altogether or anything but maps, and aliases of nothing or of what they stand in.
 * One pass in document order, so an alias finds the last anchor of its name that stands before it, as YAML has it.
 */
export function findKeyFaults(document: Document.Parsed, copiesMax: number): YamlFault[] {
  const faults: YamlFault[] = [];
  const names = new Map<YAMLMap, Set<string>>();
  const sizes = new Map<unknown, number>();
  const anchors = new Map<string, Node>();
  let copies = 0;
  const sizeOf = (target: unknown): number => {
    const node = isAlias(target) ? anchors.get(target.source) : target;
    return isSeq(node) ? node.items.reduce((sum: number, n) => sum + sizeOf(n), 0) : (sizes.get(node) ?? 0);
  };
  visit(document, {
    Node: (_, node, path) => {
      if (isAlias(node)) {
        const fault = aliasFault(node, anchors.get(node.source), path);
        if (fault !== null) faults.push(fault);
      } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
    Pair: (_, pair, path) => {
      const map = path.at(-1);
      if (!isMap(map) || !isScalar(pair.key)) return undefined;
      const isMerge = isMergeKey(pair.key);
      const merged = isMerge ? sizeOf(pair.value) : 0;
      copies += merged;
      sizes.set(map, (sizes.get(map) ?? 0) + 1 + merged);
      const fault =
        copies > copiesMax
          ? { message: "merge keys copy too many entries", offset: offsetOf(pair) }
          : isMerge
            ? mergeFault(pair, anchors)
            : repeatedKey(pair, names, map);
      if (fault !== null) faults.push(fault);
      return copies > copiesMax ? visit.BREAK : undefined;
    },
  });
  return faults;
}

function repeatedKey(pair: Pair, names: Map<YAMLMap, Set<string>>, map: YAMLMap): YamlFault | null {
  if (!isScalar(pair.key)) return null;
  const seen = names.get(map) ?? new Set<string>();
  names.set(map, seen);
  // As in the data that comes out, where 1 and "1" are the same name.
  const name = String(pair.key.value);
  if (seen.has(name))
    return { message: `the key ${JSON.stringify(name)} stands twice`, offset: offsetOf(pair) };
  seen.add(name);
  return null;
}

function aliasFault(
  alias: Alias,
  target: Node | undefined,
  path: readonly (Document | Node | Pair)[],
): YamlFault | null {
  const offset = alias.range?.[0] ?? 0;
  if (target === undefined)
    return { message: `no anchor &${alias.source} stands before *${alias.source}`, offset };
  return path.includes(target) ? { message: "an alias stands inside of what it names", offset } : null;
}

/** A merge key takes a map, or a list of maps; each of them may be an alias. */
function mergeFault(pair: Pair, anchors: ReadonlyMap<string, Node>): YamlFault | null {
  const resolve = (node: unknown): unknown => (isAlias(node) ? anchors.get(node.source) : node);
  // An alias of nothing has its own fault.
  const isMapOrGone = (node: unknown): boolean =>
    isMap(resolve(node)) || (isAlias(node) && !anchors.has(node.source));
  const source = resolve(pair.value);
  if (isMapOrGone(pair.value) || (isSeq(source) && source.items.every(isMapOrGone))) return null;
  const at = isNode(pair.value) ? pair.value.range?.[0] : undefined;
  return { message: "a merge key (<<) takes a map or a list of maps", offset: at ?? offsetOf(pair) };
}

/** As the library has it, which gives an unquoted `<<` without a tag as a symbol of that name. */
function isMergeKey({ type, value }: Scalar): boolean {
  const isPlain = type === undefined || type === "PLAIN";
  return isPlain && (value === "<<" || (typeof value === "symbol" && value.description === "<<"));
}

function offsetOf(pair: Pair): number {
  return isScalar(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
}
