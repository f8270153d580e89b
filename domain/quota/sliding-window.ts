/** The window over which requests are counted. */
export const WINDOW_MS = 60_000;
/** Requests that a window remembers, and so the highest limit there is; a higher one counts as this one. */
export const WINDOW_REQUESTS_MAX = 100_000;
/** How exactly a window can be kept and taken up again: the requests of one such slice become one number. */
export const SLICE_MS = 1000;
const FIRST_CAPACITY = 256;

export type WindowVerdict = { granted: true } | { granted: false; retryAfterMs: number };
/** How many requests were granted in the slice that begins at `startMs`. */
export interface WindowSlice {
  startMs: number;
  granted: number;
}

/**
 * A sliding window: a request is granted while fewer than the limit were granted in the `WINDOW_MS` before it. Exact,
 * since the moment of each granted request is remembered; a refused one leaves no trace. Holds eight bytes for each
 * granted request of the window, at most `WINDOW_REQUESTS_MAX` of them.
 */
export class SlidingWindow {
  /** Moments of granted requests, never descending: a ring of which `#size` are in use from `#first` on. */
  #moments = new Float64Array(FIRST_CAPACITY);
  #first = 0;
  #size = 0;
  #lastMs = -Infinity;

  /** Goes on from what `slices` said, ascending by time; each request counts as one of the end of its slice. */
  constructor(slices: readonly WindowSlice[] = []) {
    for (const { startMs, granted } of slices) {
      for (let i = 0; i < granted && this.#size < WINDOW_REQUESTS_MAX; i += 1)
        this.#push(startMs + SLICE_MS - 1);
    }
  }

  /**
   * Grants a request at `nowMs` and counts it, or says after how long one would be granted if none came in between. A
   * clock that goes back counts as one that stands still.
   */
  take(nowMs: number, limit: number): WindowVerdict {
    this.#lastMs = Math.max(this.#lastMs, nowMs);
    this.#forget(this.#lastMs - WINDOW_MS);
    const bound = Math.min(limit, WINDOW_REQUESTS_MAX);
    if (this.#size < bound) {
      // What was taken up again may stand a little ahead of the clock; nobody passes it.
      this.#push(Math.max(this.#lastMs, this.#size === 0 ? 0 : this.#at(this.#size - 1)));
      return { granted: true };
    }
    // Once this one has left there is room; a limit of 0 never has any.
    const lastToLeave = bound === 0 ? this.#lastMs : this.#at(this.#size - bound);
    return { granted: false, retryAfterMs: Math.max(1, lastToLeave + WINDOW_MS - this.#lastMs) };
  }

  /** The window as it can be kept: what is given to the constructor later. */
  slices(): WindowSlice[] {
    const slices: WindowSlice[] = [];
    for (let i = 0; i < this.#size; i += 1) {
      const startMs = Math.floor(this.#at(i) / SLICE_MS) * SLICE_MS;
      const last = slices.at(-1);
      if (last?.startMs === startMs) last.granted += 1;
      else slices.push({ startMs, granted: 1 });
    }
    return slices;
  }

  #at(i: number): number {
    return this.#moments[(this.#first + i) % this.#moments.length] ?? 0;
  }

  #push(ms: number): void {
    if (this.#size === this.#moments.length) this.#grow();
    this.#moments[(this.#first + this.#size) % this.#moments.length] = ms;
    this.#size += 1;
  }

  #grow(): void {
    const larger = new Float64Array(Math.min(2 * this.#moments.length, WINDOW_REQUESTS_MAX));
    for (let i = 0; i < this.#size; i += 1) larger[i] = this.#at(i);
    this.#moments = larger;
    this.#first = 0;
  }

  /** Drops what was granted at `ms` or before. */
  #forget(ms: number): void {
    while (this.#size > 0 && this.#at(0) <= ms) {
      this.#first = (this.#first + 1) % this.#moments.length;
      this.#size -= 1;
    }
  }
}
