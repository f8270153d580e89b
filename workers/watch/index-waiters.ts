/** Questions that wait for the replica to move. They live in memory: their callers are gone when the object is. */
export class IndexWaiters {
  readonly #waiting = new Set<() => void>();
  readonly #waitersMax: number;

  constructor(waitersMax: number) {
    this.#waitersMax = waitersMax;
  }

  /**
   * Resolves true as soon as `reached` holds (looked at now and at every `wake`), false after `waitMs`, or at once when
   * too many wait already.
   */
  async wait(reached: () => boolean, waitMs: number): Promise<boolean> {
    if (reached()) return true;
    if (waitMs <= 0 || this.#waiting.size >= this.#waitersMax) return false;
    return new Promise((resolve) => {
      const finish = (answer: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(answer);
      };
      const look = (): void => {
        if (reached()) finish(true);
      };
      const timer = setTimeout(() => {
        finish(reached());
      }, waitMs);
      this.#waiting.add(look);
    });
  }

  /** To be called when the replica has moved. */
  wake(): void {
    for (const look of this.#waiting) look();
  }
}
