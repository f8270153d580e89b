import { RE2JS, RE2JSException } from "re2js";
import { countBacktracking } from "./count-backtracking.ts";
import { parsePattern, UnreadablePattern } from "./parse-pattern.ts";
import type { LookNode, PatternNode } from "./pattern-node.ts";
import { countStates, PATTERN_STATES_MAX, printRe2 } from "./print-re2.ts";

/**
 * Steps that RE2 may need for one text, which nothing can divide. Where its automaton grows too large a step takes 12 ns,
 * so that others wait for 0.2 s at most; most patterns need a tenth of that.
 */
export const LINEAR_STEPS_MAX = 16_000_000;
/** Steps that the platform's own backtracking engine may need for one text by a bound that lies far above what it takes. */
export const BACKTRACKING_STEPS_MAX = 50_000_000;
/** Characters for which a pattern given to that engine must stay below that limit. */
export const BACKTRACKING_LENGTH_MIN = 200;

export interface CompiledPattern {
  test(text: string): boolean;
  /** Upper bound of the steps that `test` takes for a text of so many characters. */
  steps(length: number): number;
  /** Steps for one text above which `test` must not be called. */
  stepsMax: number;
  /** What compiling it costs and holding it takes. */
  states: number;
}
export type CompileOutcome = { ok: true; compiled: CompiledPattern } | { ok: false; message: string };

const ACCEPTED =
  "accepted: the syntax of RE2, lookaheads at the start right behind ^, and other lookarounds and backreferences " +
  "where no repetition stands in another and no two alternatives of a repetition begin with the same character";

/**
 * Compiles an expression that is valid with the `u` flag for tests that no text can make slow. In this order: RE2,
 * whose time is linear; RE2 for each part of `^(?!a)(?=b)c`, which holds where `^a` does not match and `^b` and `^c` do;
 * the platform's engine, when the steps it could need are bounded (see `countBacktracking`). Refuses all others.
 */
export function compilePattern(source: string): CompileOutcome {
  let node: PatternNode;
  try {
    node = parsePattern(source);
  } catch (error) {
    if (error instanceof UnreadablePattern) return { ok: false, message: error.message };
    throw error;
  }
  const states = countStates(node);
  const linear = states > PATTERN_STATES_MAX ? null : compileLinear(node);
  if (linear) {
    const steps = (length: number): number => states * (length + 1);
    return { ok: true, compiled: { test: linear, steps, stepsMax: LINEAR_STEPS_MAX, states } };
  }
  const steps = (length: number): number => countBacktracking(node, length);
  if (!(steps(BACKTRACKING_LENGTH_MIN) <= BACKTRACKING_STEPS_MAX)) {
    const reason =
      states > PATTERN_STATES_MAX ? `it repeats too much (${PATTERN_STATES_MAX} at most)` : ACCEPTED;
    return { ok: false, message: `the time this pattern may take has no acceptable bound; ${reason}` };
  }
  const native = new RegExp(source, "u");
  try {
    // The engine builds its program at the first use, and finds only then that it is too large.
    native.test("");
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    return { ok: false, message: `it repeats too much: ${error.message}` };
  }
  const compiled: CompiledPattern = {
    test: (text) => native.test(text),
    steps,
    stepsMax: BACKTRACKING_STEPS_MAX,
    states: Math.min(states, PATTERN_STATES_MAX),
  };
  return { ok: true, compiled };
}

type Test = (text: string) => boolean;

function compileLinear(node: PatternNode): Test | null {
  if (node.kind === "choice" && hasLook(node)) {
    const branches = node.branches.map(compileLinear);
    const tests = branches.filter((test) => test !== null);
    return tests.length < branches.length ? null : (text) => tests.some((test) => test(text));
  }
  const parts = node.kind === "sequence" ? node.parts : [node];
  const first = parts.findIndex((part) => !isStart(part) && !isLookahead(part));
  const head = first === -1 ? parts : parts.slice(0, first);
  if (!head.some(isLookahead)) return compileRe2(node);
  if (!head.some(isStart)) return null;
  const rest = compileLinear(atStart({ kind: "sequence", parts: parts.slice(head.length) }));
  const looks = head.filter(isLookahead).map(({ negated, body }) => {
    const test = compileLinear(atStart(body));
    return test && ((text: string) => test(text) !== negated);
  });
  const tests = [rest, ...looks].filter((test) => test !== null);
  return tests.length <= looks.length ? null : (text) => tests.every((test) => test(text));
}

/** The expression at the start of the text alone, which goes into each branch so that lookaheads there are found. */
function atStart(node: PatternNode): PatternNode {
  if (node.kind === "choice") return { kind: "choice", branches: node.branches.map(atStart) };
  const parts = node.kind === "sequence" ? node.parts : [node];
  return { kind: "sequence", parts: [{ kind: "edge", edge: "start" }, ...parts] };
}

function compileRe2(node: PatternNode): Test | null {
  const printed = printRe2(node);
  if (printed === null) return null;
  try {
    const re2 = RE2JS.compile(printed);
    return (text) => re2.test(text);
  } catch (error) {
    // Names of properties that RE2 does not know.
    if (error instanceof RE2JSException) return null;
    throw error;
  }
}

function hasLook(node: PatternNode): boolean {
  if (node.kind === "look") return true;
  if (node.kind === "repeat") return hasLook(node.body);
  if (node.kind === "sequence") return node.parts.some(hasLook);
  return node.kind === "choice" && node.branches.some(hasLook);
}

function isStart(node: PatternNode): boolean {
  return node.kind === "edge" && node.edge === "start";
}

function isLookahead(node: PatternNode): node is LookNode {
  return node.kind === "look" && !node.behind;
}
