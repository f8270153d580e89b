import { uptime } from "node:os";
import { CLOCK_STEP_MAX_MS, type LastStamp, nextStampMs } from "../state/leader-time.ts";

/** The uptime is a file to read: between two reads the process's own monotonic clock goes on from it. */
const UPTIME_READ_EVERY_MS = 1000;

/** Milliseconds since the machine started, sleep included; never goes back. */
export function machineElapsedMs(): () => number {
  let readAtMs = Number.NEGATIVE_INFINITY;
  let baseMs = 0;
  return () => {
    const nowMs = performance.now();
    if (nowMs - readAtMs < UPTIME_READ_EVERY_MS) return baseMs + nowMs - readAtMs;
    const passedMs = readAtMs === Number.NEGATIVE_INFINITY ? 0 : nowMs - readAtMs;
    baseMs = Math.max(baseMs + passedMs, uptime() * 1000);
    readAtMs = nowMs;
    return baseMs;
  };
}

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
    this.#elapsedMs = options.elapsedMs ?? machineElapsedMs();
  }

  /** Milliseconds since 1970 for the next command; `floorMs` is the newest stamp in the state. */
  stampMs(floorMs: number): number {
    const next = this.#next(floorMs);
    this.#last = next;
    return next.stampMs;
  }

  /** What `stampMs` would give now, for a read, which must not move the clock. */
  lookMs(floorMs: number): number {
    return this.#next(floorMs).stampMs;
  }

  #next(floorMs: number): LastStamp {
    const elapsedMs = this.#elapsedMs();
    const stampMs = Math.round(nextStampMs({ wallMs: this.#wallMs(), elapsedMs, last: this.#last, floorMs }));
    return { stampMs, elapsedMs };
  }

  /**
   * A command with this stamp was applied here, whoever stamped it. It may have been stamped long ago (a log replayed at
   * start, a follower catching up), so it only ever raises what is known of the present: until a stamp near the wall
   * clock or ahead of it has been seen there is nothing to hold that clock against, and afterwards a stamp below the
   * last one plus the time elapsed says nothing new.
   */
  observe(stampMs: number): void {
    const elapsedMs = this.#elapsedMs();
    const knownMs =
      this.#last === null
        ? this.#wallMs() - CLOCK_STEP_MAX_MS
        : this.#last.stampMs + elapsedMs - this.#last.elapsedMs;
    if (stampMs > knownMs) this.#last = { stampMs, elapsedMs };
  }
}
