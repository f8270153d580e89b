import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  visit,
  type YAMLMap,
} from "yaml";

export interface YamlFault {
  message: string;
  offset: number;
}

/**
 * Finds keys that stand twice in a map, and merge keys (`<<`) that copy more than `copiesMax` entries altogether.
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
    Node: (_, node) => {
      if (!isAlias(node) && node.anchor !== undefined) anchors.set(node.anchor, node);
    },
    Pair: (_, pair, path) => {
      const map = path.at(-1);
      if (!isMap(map) || !isScalar(pair.key)) return undefined;
      const merged = isMergeKey(pair.key.value) ? sizeOf(pair.value) : 0;
      copies += merged;
      sizes.set(map, (sizes.get(map) ?? 0) + 1 + merged);
      const fault =
        copies > copiesMax
          ? { message: "merge keys copy too many entries", offset: offsetOf(pair) }
          : repeatedKey(pair, names, map);
      if (fault !== null) faults.push(fault);
      return copies > copiesMax ? visit.BREAK : undefined;
    },
  });
  return faults;
}

function repeatedKey(pair: Pair, names: Map<YAMLMap, Set<string>>, map: YAMLMap): YamlFault | null {
  if (!isScalar(pair.key) || isMergeKey(pair.key.value)) return null;
  const seen = names.get(map) ?? new Set<string>();
  names.set(map, seen);
  // As in the data that comes out, where 1 and "1" are the same name.
  const name = String(pair.key.value);
  if (seen.has(name))
    return { message: `the key ${JSON.stringify(name)} stands twice`, offset: offsetOf(pair) };
  seen.add(name);
  return null;
}

/** The library gives an unquoted `<<` as a symbol of that name. */
function isMergeKey(value: unknown): boolean {
  return typeof value === "symbol" && value.description === "<<";
}

function offsetOf(pair: Pair): number {
  return isScalar(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
}
