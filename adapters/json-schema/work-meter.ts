/**
 * Steps that judging one document may take. A step is about what it takes to look at one value by one keyword, tens of
 * nanoseconds; a document of the largest size by a schema of a hundred keywords a value fits.
 */
export const SCHEMA_STEPS_MAX = 40_000_000;
/** Steps after which others get a turn: some milliseconds. */
export const SCHEMA_SLICE_STEPS = 100_000;
/** Schemas that judge one within the other, by keywords and references together. */
export const SCHEMA_NESTING_MAX = 1_000;

/** Names of an object from which on they are kept. */
const NAMES_KEPT_MIN = 64;

/** A document that its schema cannot judge within the limits. */
export class DocumentTooHard extends Error {
  override readonly name = "DocumentTooHard";
}

/** Counts what judging a document takes, so that no document and no schema can hold a thread. */
export class WorkMeter {
  #left: number;
  #inSlice = 0;
  readonly #names = new Map<object, readonly string[]>();

  constructor(stepsMax = SCHEMA_STEPS_MAX) {
    this.#left = stepsMax;
  }

  /** Throws `DocumentTooHard` when there is nothing left. */
  charge(steps: number): void {
    this.#left -= steps;
    this.#inSlice += steps;
    if (this.#left < 0) {
      throw new DocumentTooHard(
        `The document is too large for its schema: judging it takes more than ${SCHEMA_STEPS_MAX} steps.`,
      );
    }
  }

  /** An object's names, listed once: listing those of a large object costs much, and many schemas may judge it. */
  namesOf(value: object): readonly string[] {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const names = Object.keys(value);
    this.charge(names.length);
    if (names.length >= NAMES_KEPT_MIN) this.#names.set(value, names);
    return names;
  }

  /** Whether the slice is used up; the next one begins with the asking. */
  takePause(): boolean {
    if (this.#inSlice < SCHEMA_SLICE_STEPS) return false;
    this.#inSlice = 0;
    return true;
  }
}
