import { type CompiledPattern, compilePattern } from "./compile-pattern.ts";
import { toUnicodePattern } from "./unicode-pattern.ts";

/** UTF-16 units of one pattern. */
export const PATTERN_LENGTH_MAX = 10_000;
/** States of all patterns of a schema together. */
export const PATTERNS_STATES_MAX = 50_000;
/** Patterns at fault after which no further one is looked at. */
const PATTERNS_REFUSED_MAX = 100;
/** Steps that all patterns together may take over one document: states times characters. */
export const PATTERNS_STEPS_MAX = 100_000_000;

/** A pattern was used that the schema may not hold. */
export class PatternRefused extends Error {
  override readonly name = "PatternRefused";
}
/** A document on which the patterns of its schema would take too long. */
export class DocumentTooHard extends Error {
  override readonly name = "DocumentTooHard";
}

/** The patterns of one schema, compiled so that neither a pattern nor a document can hold the thread for long. */
export class PatternBook {
  readonly #compiled = new Map<string, CompiledPattern>();
  readonly #refused = new Map<string, string>();
  #states = 0;
  #steps = 0;

  /** Compiles a pattern; answers what to look it up by, which is the same in the grammar of the `u` flag. */
  add(pattern: string): { ok: true; pattern: string } | { ok: false; message: string } {
    if (pattern.length > PATTERN_LENGTH_MAX)
      return this.#refuse(pattern, `longer than ${PATTERN_LENGTH_MAX}`);
    if (this.#refused.size >= PATTERNS_REFUSED_MAX)
      return this.#refuse(pattern, "not looked at after so many faults");
    const strict = toUnicodePattern(pattern);
    if (strict === null) return this.#refuse(pattern, "not a regular expression of ECMA-262");
    if (this.#compiled.has(strict)) return { ok: true, pattern: strict };
    if (this.#states > PATTERNS_STATES_MAX) {
      return this.#refuse(pattern, `the patterns repeat too much together (${PATTERNS_STATES_MAX} at most)`);
    }
    const outcome = compilePattern(strict);
    if (!outcome.ok) return this.#refuse(pattern, outcome.message);
    this.#states += outcome.compiled.states;
    this.#compiled.set(strict, outcome.compiled);
    return { ok: true, pattern: strict };
  }

  /** Forgets the steps counted so far, for another run over a document. */
  restart(): void {
    this.#steps = 0;
  }

  /** Whether an added pattern matches. Throws `PatternRefused` for one that was not, `DocumentTooHard` at the limit. */
  test(pattern: string, text: string): boolean {
    const compiled = this.#compiled.get(pattern);
    const shown = JSON.stringify(pattern.slice(0, 100));
    if (!compiled) {
      const reason = this.#refused.get(pattern) ?? "it stands where no keyword takes a schema";
      throw new PatternRefused(`the pattern ${shown} cannot be used: ${reason}`);
    }
    const steps = compiled.steps(text.length);
    this.#steps += steps;
    if (steps > compiled.stepsMax) {
      throw new DocumentTooHard(`A text of ${text.length} characters is too long for the pattern ${shown}.`);
    }
    if (this.#steps > PATTERNS_STEPS_MAX) {
      throw new DocumentTooHard("The document is too large for the patterns of its schema.");
    }
    return compiled.test(text);
  }

  #refuse(pattern: string, message: string): { ok: false; message: string } {
    this.#refused.set(pattern, message);
    return { ok: false, message };
  }
}
