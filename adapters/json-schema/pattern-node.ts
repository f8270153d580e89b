/** Code points, each range with both ends. */
export type Range = readonly [number, number];

export interface SetNode {
  kind: "set";
  negated: boolean;
  ranges: readonly Range[];
  /** Unicode properties that belong to the set too, as RE2 names them; null where RE2 has no name. */
  properties: readonly { name: string | null; negated: boolean }[];
}
export interface RepeatNode {
  kind: "repeat";
  body: PatternNode;
  min: number;
  /** `Infinity` when there is none. */
  max: number;
}
export interface LookNode {
  kind: "look";
  behind: boolean;
  negated: boolean;
  body: PatternNode;
}
/** An expression as far as it matters for whether (never where) a text matches: groups and laziness are gone. */
export type PatternNode =
  | SetNode
  | RepeatNode
  | LookNode
  | { kind: "sequence"; parts: readonly PatternNode[] }
  | { kind: "choice"; branches: readonly PatternNode[] }
  | { kind: "edge"; edge: "start" | "end" | "word" | "not-word" }
  | { kind: "backreference" };

export const CODE_POINT_MAX = 0x10ffff;

/** Everything that is in none of the ranges. */
export function complement(ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  let next = 0;
  for (const [low, high] of [...ranges].toSorted((a, b) => a[0] - b[0])) {
    if (low > next) out.push([next, low - 1]);
    next = Math.max(next, high + 1);
  }
  if (next <= CODE_POINT_MAX) out.push([next, CODE_POINT_MAX]);
  return out;
}
