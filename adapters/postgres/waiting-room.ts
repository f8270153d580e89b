import { ConfluxError } from "../../contracts/problem/error-codes.ts";

/** Requests of one isolate that may wait for the database at once; more would only wait longer, each with its body held. */
export const DATABASE_WAITING_MAX = 128;
const RETRY_AFTER_S = 1;

/**
 * Bounds how many requests of an isolate wait for a database that is slow, so that they do not pile up: who finds the
 * room full is refused at once (`unavailable`). Shared by all `Database`s of the isolate. A place is free again when its
 * holder leaves, or when the holder's deadline has passed: a request that is cancelled never gets to leave.
 */
export class WaitingRoom {
  readonly #max: number;
  readonly #nowMs: () => number;
  /** When each place ends by itself, by its holder. */
  readonly #untilMs = new Map<symbol, number>();

  constructor(max: number = DATABASE_WAITING_MAX, nowMs: () => number = () => performance.now()) {
    this.#max = max;
    this.#nowMs = nowMs;
  }

  /**
   * Takes a place for at most `forMs`; answers how to leave it. `isKnown`: the request has been in before. It is let in
   * though the room is full, so that nothing half-way through is refused: it takes part in the count like all others.
   */
  enter(forMs: number, isKnown: boolean): () => void {
    if (this.#untilMs.size >= this.#max) this.#forgetEnded();
    if (this.#untilMs.size >= this.#max && !isKnown) {
      throw new ConfluxError("unavailable", "Too many requests wait for the database.", {
        retryAfterS: RETRY_AFTER_S,
      });
    }
    const place = Symbol("place");
    this.#untilMs.set(place, this.#nowMs() + forMs);
    return () => this.#untilMs.delete(place);
  }

  #forgetEnded(): void {
    const nowMs = this.#nowMs();
    for (const [place, untilMs] of this.#untilMs) if (untilMs <= nowMs) this.#untilMs.delete(place);
  }
}
