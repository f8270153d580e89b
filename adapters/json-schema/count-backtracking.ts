import { complement, type PatternNode, type Range } from "./pattern-node.ts";

interface Search {
  /** Ways in which the expression can match from one place, the longest and all shorter ones. */
  ways: number;
  /** Attempts until all of these ways are exhausted, those that come to nothing included. */
  attempts: number;
}

/**
 * An upper bound on the steps a backtracking engine takes to find that a text of so many characters does not match;
 * `Infinity` for shapes such as `(a+)+`. What must hold: a bound too low lets a schema stop a Worker, one too high only
 * refuses a schema. So each repetition counts as if every character could be another turn, and each alternative as if
 * it could match wherever its neighbours do, unless no character begins both.
 */
export function countBacktracking(node: PatternNode, length: number): number {
  const starts = beginsAtStart(node) ? 1 : length + 1;
  return starts * search(node, length).attempts * (length + 1);
}

function beginsAtStart(node: PatternNode): boolean {
  if (node.kind === "edge") return node.edge === "start";
  if (node.kind === "choice") return node.branches.every(beginsAtStart);
  return node.kind === "sequence" && node.parts[0] !== undefined && beginsAtStart(node.parts[0]);
}

function search(node: PatternNode, length: number): Search {
  switch (node.kind) {
    case "sequence": {
      let [ways, attempts] = [1, 1];
      for (const part of node.parts) {
        const next = search(part, length);
        attempts += ways * next.attempts;
        ways *= next.ways;
      }
      return { ways, attempts };
    }
    case "choice": {
      const found = node.branches.map((branch) => search(branch, length));
      const all = found.map(({ ways }) => ways);
      return {
        ways: beginApart(node.branches) ? Math.max(...all) : all.reduce((a, b) => a + b, 0),
        attempts: found.reduce((sum, { attempts }) => sum + attempts, 1),
      };
    }
    case "repeat": {
      const turn = search(node.body, length);
      // A turn that matches nothing ends a repetition, except for those turns that are asked for.
      const turns = Math.min(node.max, Math.max(node.min, length + 1));
      const least = Math.min(node.min, turns);
      if (turn.ways === 1) return { ways: turns - least + 1, attempts: (turns + 1) * (turn.attempts + 1) };
      const ways = turn.ways ** (turns + 1);
      return { ways, attempts: ways * (turn.attempts + 1) };
    }
    case "look":
      return { ways: 1, attempts: search(node.body, length).attempts + 1 };
    case "backreference":
      return { ways: 1, attempts: length + 1 };
    default:
      return { ways: 1, attempts: 1 };
  }
}

/** Whether at any place at most one of the branches can match, told by its first character. */
function beginApart(branches: readonly PatternNode[]): boolean {
  const firsts: Range[][] = [];
  for (const branch of branches) {
    const first = firstOf(branch);
    if (first === null) return false;
    firsts.push(first);
  }
  const sorted = firsts
    .flatMap((ranges, branch) => ranges.map(([low, high]) => ({ low, high, branch })))
    .toSorted((a, b) => a.low - b.low);
  let reach = { high: -1, branch: -1 };
  for (const range of sorted) {
    if (range.low <= reach.high && range.branch !== reach.branch) return false;
    if (range.high > reach.high) reach = range;
  }
  return true;
}

/** The characters with which each match begins; null when some match may be empty or the characters are unknown. */
function firstOf(node: PatternNode): Range[] | null {
  if (node.kind === "set") {
    if (node.properties.length > 0) return null;
    return node.negated ? complement(node.ranges) : [...node.ranges];
  }
  if (node.kind === "repeat") return node.min > 0 ? firstOf(node.body) : null;
  if (node.kind === "sequence") return node.parts[0] === undefined ? null : firstOf(node.parts[0]);
  return null;
}
