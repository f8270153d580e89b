/**
 * Tells publish-stage of the plans that may go on soon, beside a projection.
 * Invariant: the projection never waits for the queue, and nothing that the queue does makes it fail. `follow` only notes what
 * is to be sent, and `finish` waits for what is on its way, which ends within the queue's own limit.
 */
import {
  HINTS_MAX,
  type PublishHint,
  type PublishHintQueue,
  type UnsentHint,
} from "../../contracts/publish/publish-hint-queue.ts";
import { PUBLISH_HINTS_UNSENT_LINE } from "../../contracts/publish/publish-hints-unsent.ts";
import type { FeedEntry } from "../../domain/command/feed-entry.ts";
import { findPublishHints } from "./find-publish-hints.ts";

export interface PublishHintDeps {
  hints: PublishHintQueue;
  nowMs: () => number;
  log: (line: Record<string, string | number>) => void;
}
export interface PublishHintCounts {
  sent: number;
  /** Left to the schedule; each is in a log line's count. */
  unsent: number;
}

/** The hints of one run of the projection. At most HINTS_MAX wait while others are on their way. */
export class PublishHintSender {
  readonly #deps: PublishHintDeps;
  readonly #counts: PublishHintCounts = { sent: 0, unsent: 0 };
  #waiting: PublishHint[] = [];
  #isFailing = false;
  #isFinishing = false;
  #sending: Promise<void> | null = null;

  constructor(deps: PublishHintDeps) {
    this.#deps = deps;
  }

  /** Sends the hints of entries that were projected, and does not wait for it. */
  follow(entries: readonly FeedEntry[]): void {
    const found = findPublishHints(entries, this.#deps.nowMs());
    const room = HINTS_MAX - this.#waiting.length;
    this.#waiting.push(...found.slice(0, room));
    this.#giveUp(found.slice(room), "too many at once");
    if (this.#waiting.length > 0) this.#sending ??= this.#sendAll();
  }

  /** Waits for what is on its way. What waits behind a queue that fails is given up. */
  async finish(): Promise<PublishHintCounts> {
    this.#isFinishing = true;
    await this.#sending;
    return { ...this.#counts };
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      if (this.#isFinishing && this.#isFailing) {
        this.#giveUp(batch, "the queue fails and the time is over");
        continue;
      }
      const unsent = await this.#deps.hints.send(batch).catch((error: unknown) => {
        // It promises not to; what it does all the same must not become the projection's failure.
        return batch.map((hint) => ({ hint, reason: String(error) }));
      });
      this.#isFailing = unsent.length > 0;
      this.#counts.sent += batch.length - unsent.length;
      const byReason = Map.groupBy(unsent, ({ reason }: UnsentHint) => reason);
      for (const [reason, hints] of byReason) this.#giveUp(hints, reason);
    }
    this.#sending = null;
  }

  #giveUp(hints: readonly unknown[], reason: string): void {
    if (hints.length === 0) return;
    this.#counts.unsent += hints.length;
    this.#deps.log({ level: "warn", msg: PUBLISH_HINTS_UNSENT_LINE, hints: hints.length, reason });
  }
}
