import { ConfluxError } from "../../contracts/problem/error-codes.ts";

/** Long polls that one node holds open at once. */
export const FEED_WAITERS_MAX = 4096;
const RETRY_AFTER_S = 1;

/** Readers waiting for the next apply. Each leaves by being woken, by its timeout, or by its client going away. */
export class FeedWaiters {
  readonly #waiting = new Set<() => void>();
  readonly #max: number;
  #closed = false;

  constructor(max: number = FEED_WAITERS_MAX) {
    this.#max = max;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves at the next `wakeAll`, after `timeoutMs`, or on abort. Throws `unavailable` when too many wait. */
  async wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted || timeoutMs <= 0) return;
    if (this.#waiting.size >= this.#max) {
      throw new ConfluxError("unavailable", `${this.#max} readers wait already`, {
        retryAfterS: RETRY_AFTER_S,
      });
    }
    await new Promise<void>((resolve) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", leave);
        this.#waiting.delete(leave);
        resolve();
      };
      const timer = setTimeout(leave, timeoutMs);
      signal.addEventListener("abort", leave);
      this.#waiting.add(leave);
    });
  }

  wakeAll(): void {
    for (const leave of this.#waiting) leave();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Wakes all, and nobody waits any more. */
  close(): void {
    this.#closed = true;
    this.wakeAll();
  }
}
