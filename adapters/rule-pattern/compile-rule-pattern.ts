import { RE2JS, RE2JSException } from "re2js";
import type { PatternCompiler } from "../../domain/release-rule/prepare-condition.ts";

/** What the tables of one compiled expression may take: they grow with the texts that are tested. */
const TABLE_BYTES_MAX = 64 * 1024;
/** What one compiled expression may take in all, about. */
export const PATTERN_MEMORY_BYTES_MAX = 2 * TABLE_BYTES_MAX;

export type PatternOutcome =
  | {
      ok: true;
      /** Whether the expression is found anywhere in a text, in time linear in its length. */
      test: (text: string) => boolean;
      /** Size of its program: what testing one character may cost. */
      instructions: number;
    }
  | { ok: false; message: string };

/** Compiles an RE2 expression; answers why it is none. */
export function readRulePattern(source: string): PatternOutcome {
  try {
    const pattern = RE2JS.compile(source);
    const { dfa } = pattern.re2();
    dfa.stateBudget = TABLE_BYTES_MAX;
    dfa.memBudget = TABLE_BYTES_MAX;
    return { ok: true, test: (text) => pattern.test(text), instructions: pattern.programSize() };
  } catch (error) {
    if (error instanceof RE2JSException) return { ok: false, message: error.message };
    throw error;
  }
}

/** The engine behind the operator `regex`, at the edge and in the simulator alike. */
export const compileRulePattern: PatternCompiler = (source) => {
  const outcome = readRulePattern(source);
  return outcome.ok ? outcome.test : null;
};
