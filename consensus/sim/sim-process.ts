/** One run of a node's process, from its start to its end. What it began and did not finish ends with it. */
import type { Clock } from "../raft-log-options.ts";
import type { Prng } from "./prng.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Unwinds the code of a process that has just ended in the middle of it. */
export class SimProcessEnded extends Error {
  constructor() {
    super("the process has ended");
    this.name = "SimProcessEnded";
  }
}

/** Milliseconds of virtual time that a turn of the loop takes. */
const TURN_MS = 0.02;

export class SimProcess {
  readonly pid: number;
  readonly #time: VirtualTime;
  readonly #onCrashPoint: () => void;
  /** How fast its clocks run. */
  readonly #rate: number;
  readonly #bornMs: number;
  isAlive = true;
  isPaused = false;
  #backlog: { act: () => void; isFromOutside: boolean }[] = [];
  /** Operations on the disk until it crashes. */
  operationsLeft = Infinity;

  constructor(options: { pid: number; time: VirtualTime; rate: number; onCrashPoint: () => void }) {
    this.pid = options.pid;
    this.#time = options.time;
    this.#rate = options.rate;
    this.#onCrashPoint = options.onCrashPoint;
    this.#bornMs = options.time.nowMs();
  }

  /** Happens later, unless the process has ended by then; a frozen one does it when it goes on. */
  after(delayMs: number, act: () => void): void {
    this.#time.after(delayMs, () => this.enter(act));
  }

  /** What comes from outside, by the network: like `enter`. */
  arrive(act: () => void): void {
    this.enter(act, true);
  }

  /** Does it now, when the process goes on, or never. */
  enter(act: () => void, isFromOutside = false): void {
    if (!this.isAlive) return;
    if (this.isPaused) {
      this.#backlog.push({ act, isFromOutside });
      return;
    }
    try {
      act();
    } catch (error) {
      // It came to its end in the middle of this.
      if (!(error instanceof SimProcessEnded)) throw error;
    }
  }

  pause(): void {
    this.isPaused = true;
  }

  /** What came meanwhile is looked at in any order: it waited in as many sockets as there are others. */
  resume(prng: Prng): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    const backlog = this.#backlog.splice(0);
    const arrived = prng.shuffle(backlog.filter(({ isFromOutside }) => isFromOutside));
    for (const { act, isFromOutside } of backlog) this.after(0, isFromOutside ? arrived.pop()!.act : act);
  }

  end(): void {
    this.isAlive = false;
    this.#backlog = [];
  }

  nextTurn(act: () => void): void {
    this.after(TURN_MS, act);
  }

  /** The monotonic clock; it goes on while the process is frozen. */
  clock(): Clock {
    const nowMs = (): number => (this.#time.nowMs() - this.#bornMs) * this.#rate;
    return {
      nowMs,
      every: (intervalMs, act) => {
        let isOn = true;
        const again = (): void =>
          this.after(intervalMs / this.#rate, () => {
            if (!isOn) return;
            act();
            again();
          });
        again();
        return () => {
          isOn = false;
        };
      },
    };
  }

  /**
   * Before each operation on the disk: the process may end here, and `leave` does what the operation did by then. Throws
   * `SimProcessEnded` then.
   */
  crashPoint(leave?: () => void): void {
    if (!this.isAlive) throw new SimProcessEnded();
    this.operationsLeft -= 1;
    if (this.operationsLeft >= 0) return;
    this.operationsLeft = Infinity;
    leave?.();
    this.#onCrashPoint();
    throw new SimProcessEnded();
  }
}
