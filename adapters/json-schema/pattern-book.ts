import { type CompiledPattern, compilePattern } from "./compile-pattern.ts";
import { toUnicodePattern } from "./unicode-pattern.ts";
import { DocumentTooHard, type WorkMeter } from "./work-meter.ts";

/** UTF-16 units of one pattern. */
export const PATTERN_LENGTH_MAX = 10_000;
/** States of all patterns of a schema together. */
export const PATTERNS_STATES_MAX = 50_000;
/** Patterns at fault after which no further one is looked at. */
const PATTERNS_REFUSED_MAX = 100;
/** What one step of a pattern counts in the steps of `WorkMeter`. */
const PATTERN_STEP_COST = 0.4;

export type PatternTest = (text: string, meter: WorkMeter) => boolean;

/** The patterns of one schema, compiled so that neither a pattern nor a document can hold the thread for long. */
export class PatternBook {
  readonly #compiled = new Map<string, CompiledPattern>();
  #refused = 0;
  #states = 0;

  /** Compiles a pattern; answers why it cannot be used, or null. */
  add(pattern: string): string | null {
    if (this.#compiled.has(pattern)) return null;
    if (pattern.length > PATTERN_LENGTH_MAX) return this.#refuse(`longer than ${PATTERN_LENGTH_MAX}`);
    if (this.#refused >= PATTERNS_REFUSED_MAX) return this.#refuse("not looked at after so many faults");
    const strict = toUnicodePattern(pattern);
    if (strict === null) return this.#refuse("not a regular expression of ECMA-262");
    if (this.#states > PATTERNS_STATES_MAX) {
      return this.#refuse(`the patterns repeat too much together (${PATTERNS_STATES_MAX} at most)`);
    }
    const outcome = compilePattern(strict);
    if (!outcome.ok) return this.#refuse(outcome.message);
    this.#states += outcome.compiled.states;
    this.#compiled.set(pattern, outcome.compiled);
    return null;
  }

  /** The test of an added pattern, which throws `DocumentTooHard` at a limit; of a refused one, false for any text. */
  use(pattern: string): PatternTest {
    const compiled = this.#compiled.get(pattern);
    if (!compiled) return () => false;
    return (text, meter) => {
      const steps = compiled.steps(text.length);
      if (steps > compiled.stepsMax) {
        const shown = JSON.stringify(pattern.slice(0, 100));
        throw new DocumentTooHard(
          `A text of ${text.length} characters is too long for the pattern ${shown}.`,
        );
      }
      meter.charge(steps * PATTERN_STEP_COST);
      return compiled.test(text);
    };
  }

  #refuse(message: string): string {
    this.#refused++;
    return message;
  }
}
