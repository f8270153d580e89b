import { uptime } from "node:os";
import { type LastStamp, nextStampMs } from "../state/leader-time.ts";

/**
 * This process's hand in the leader's time: stamps what it proposes and learns from what it sees applied. Elapsed time is
 * the machine's uptime, which nobody sets and which goes on while the machine sleeps.
 */
export class LeaderClock {
  readonly #wallMs: () => number;
  readonly #elapsedMs: () => number;
  #last: LastStamp | null = null;

  constructor(options: { wallMs?: () => number; elapsedMs?: () => number } = {}) {
    this.#wallMs = options.wallMs ?? Date.now;
    this.#elapsedMs = options.elapsedMs ?? (() => uptime() * 1000);
  }

  /** Milliseconds since 1970 for the next command; `floorMs` is the newest stamp in the state. */
  stampMs(floorMs: number): number {
    const elapsedMs = this.#elapsedMs();
    const stampMs = Math.round(nextStampMs({ wallMs: this.#wallMs(), elapsedMs, last: this.#last, floorMs }));
    this.#last = { stampMs, elapsedMs };
    return stampMs;
  }

  /** A command with this stamp was applied here, whoever stamped it. */
  observe(stampMs: number): void {
    if (this.#last !== null && stampMs <= this.#last.stampMs) return;
    this.#last = { stampMs, elapsedMs: this.#elapsedMs() };
  }
}
