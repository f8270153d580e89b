import { CODE_POINT_MAX, type PatternNode, type Range, type SetNode } from "./pattern-node.ts";

/** States of one pattern's automaton, about one for each character with repetitions written out. */
export const PATTERN_STATES_MAX = 5_000;

/** States that the automaton of an expression has, about: `x{3,5}` counts as five times `x`. */
export function countStates(node: PatternNode): number {
  switch (node.kind) {
    case "sequence":
      return node.parts.reduce((sum, part) => sum + countStates(part), 1);
    case "choice":
      return node.branches.reduce((sum, branch) => sum + countStates(branch) + 1, 1);
    case "repeat":
      return countStates(node.body) * Math.max(1, Number.isFinite(node.max) ? node.max : node.min + 1) + 1;
    case "look":
      return countStates(node.body) + 1;
    default:
      return 1;
  }
}

/**
 * The expression in the syntax of RE2, matching the same texts; null where RE2 has no word for it. Every character and
 * class is spelled in code points, so that no escape, `.`, `\s` or `$` can mean something else there. Not for an
 * expression of more than `PATTERN_STATES_MAX` states: repetitions are written out.
 */
export function printRe2(node: PatternNode): string | null {
  switch (node.kind) {
    case "sequence":
      return join(node.parts, "");
    case "choice": {
      const inner = join(node.branches, "|");
      return inner === null ? null : `(?:${inner})`;
    }
    case "edge":
      return { start: "\\A", end: "\\z", word: "\\b", "not-word": "\\B" }[node.edge];
    case "set":
      return printSet(node);
    case "repeat": {
      const body = printRe2(node.body);
      return body === null ? null : repeat(`(?:${body})`, node.min, node.max);
    }
    default:
      return null;
  }
}

function join(nodes: readonly PatternNode[], between: string): string | null {
  const printed = nodes.map(printRe2);
  return printed.includes(null) ? null : printed.join(between);
}

/** Without RE2's own `{n,m}`, which it refuses above a thousand, nested ones multiplied. */
function repeat(body: string, min: number, max: number): string {
  if (max === Infinity) return min === 0 ? `${body}*` : `${body.repeat(min - 1)}${body}+`;
  return body.repeat(min) + `${body}?`.repeat(max - min);
}

function printSet({ negated, ranges, properties }: SetNode): string | null {
  if (properties.some(({ name }) => name === null)) return null;
  if (ranges.length + properties.length === 0) return printSet({ ...ALL, negated: !negated });
  const named = properties.map(({ name, negated: not }) => `\\${not ? "P" : "p"}{${name}}`);
  return `[${negated ? "^" : ""}${ranges.map(printRange).join("")}${named.join("")}]`;
}

const ALL: SetNode = { kind: "set", negated: false, ranges: [[0, CODE_POINT_MAX]], properties: [] };

function printRange([low, high]: Range): string {
  const hex = (point: number): string => `\\x{${point.toString(16)}}`;
  return low === high ? hex(low) : `${hex(low)}-${hex(high)}`;
}
