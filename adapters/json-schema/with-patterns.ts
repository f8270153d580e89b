import type { PatternBook } from "./pattern-book.ts";

/**
 * Runs the validator with the patterns of a book. The validator evaluates every pattern as
 * `new RegExp(pattern, "u").test(text)` and has no place to put another engine, and the platform's engine backtracks: a
 * schema could hold the thread for years. So the name `RegExp` means the book while `judge` runs. Contained because
 * `judge` is synchronous (nothing else runs on the thread), the name is given back whatever happens, expression
 * literals do not go through the name, and the name's new meaning does nothing but what the validator asks of it. What
 * the book does not hold throws instead of running. An update of the validator that evaluates patterns in another way
 * would break this; the tests with catastrophic patterns would then never return and be killed.
 */
export function withPatterns<T>(book: PatternBook, judge: () => T): T {
  const original = globalThis.RegExp;
  class BookPattern {
    readonly #source: string;

    /** Throws `SyntaxError` as the original does, on which the format `regex` relies. */
    constructor(source: unknown, flags?: string) {
      this.#source = String(source);
      void new original(this.#source, flags);
    }

    test(text: string): boolean {
      return inside(original, () => book.test(this.#source, text));
    }
  }
  book.restart();
  return inside(BookPattern as unknown as RegExpConstructor, judge);
}

function inside<T>(meaning: RegExpConstructor, run: () => T): T {
  const before = globalThis.RegExp;
  globalThis.RegExp = meaning;
  try {
    return run();
  } finally {
    globalThis.RegExp = before;
  }
}
