import { RESTART_DELAY_MAX_MS } from "./managed-child.ts";

/** What the terminal is told of a child's crashes: the same end over and over is said twice, not every few seconds. */
export class CrashLines {
  readonly #name: string;
  readonly #logPath: string;
  #how = "";
  #count = 0;

  constructor(name: string, logPath: string) {
    this.#name = name;
    this.#logPath = logPath;
  }

  /** The line for a crash; null when it brings nothing new. */
  next(how: string, delayMs: number): string | null {
    this.#count = how === this.#how ? this.#count + 1 : 1;
    this.#how = how;
    if (this.#count === 1) return `${this.#name} ${how}; starting it again in ${delayMs} ms.`;
    if (this.#count > 2) return null;
    return `${this.#name} ended so again; it is tried on, every ${RESTART_DELAY_MAX_MS / 1000} s at most (${this.#logPath}).`;
  }

  /** It runs: the next crash is news. */
  forget(): void {
    [this.#how, this.#count] = ["", 0];
  }
}
