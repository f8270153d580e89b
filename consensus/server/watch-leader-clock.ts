import type { NodeId } from "../raft/types.ts";
import type { ReplicatedLogStatus } from "../replicated-log.ts";
import { CLOCK_WATCH_START, type ClockWatch, judgeLeaderClock } from "../state/judge-leader-clock.ts";
import type { Logger } from "./core-context.ts";
import { INFO_EVERY_MS } from "./exchange-peer-info.ts";
import type { PeerKnowledge } from "./peer-knowledge.ts";

export interface LeaderClockWatchOptions {
  knowledge: Pick<PeerKnowledge, "clocks" | "isFenced">;
  status: () => ReplicatedLogStatus;
  /** Hands leadership over; rejects when it did not come to that. */
  transfer: (to: NodeId) => Promise<unknown>;
  logger: Logger;
  nowMs: () => number;
}

/** Looks at the clocks as often as they are told, and lets a leader whose clock is far off hand over (R9). */
export class LeaderClockWatch {
  readonly #options: LeaderClockWatchOptions;
  #watch: ClockWatch = CLOCK_WATCH_START;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: LeaderClockWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), INFO_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  look(): void {
    const { knowledge, status, transfer, logger, nowMs } = this.#options;
    const { role, nodeId, members, commitIndex } = status();
    if (role !== "leader") {
      // Who leads anew looks anew; the pause after a hand-over stays.
      this.#watch = { ...this.#watch, offLooks: 0 };
      return;
    }
    const voters = members
      .filter(({ voter }) => voter)
      .map((member) => ({
        nodeId: member.nodeId,
        ready: member.active && member.matchIndex >= commitIndex && !knowledge.isFenced(member.nodeId),
      }));
    const clocks = knowledge.clocks();
    const judged = judgeLeaderClock(this.#watch, { self: nodeId, voters, clocks, nowMs: nowMs() });
    this.#watch = judged.watch;
    const to = judged.transferTo;
    if (to === null) return;
    logger({
      level: "warn",
      msg: "this leader's clock is far from the others': leadership is handed over",
      to,
      offsets_ms: Object.fromEntries(clocks.map((clock) => [clock.nodeId, Math.round(clock.offsetMs)])),
    });
    transfer(to).catch((error: unknown) => {
      logger({ level: "warn", msg: "leadership could not be handed over", to, error: String(error) });
    });
  }
}
