import {
  HINTS_MAX,
  type PublishHint,
  type PublishHintQueue,
  type UnsentHint,
} from "../../contracts/publish/publish-hint-queue.ts";

/** Messages that a queue holds when nobody says otherwise. */
const MESSAGES_MAX = 10_000;

/** A queue in which whoever looks finds what was sent. */
export class MemoryPublishHintQueue implements PublishHintQueue {
  /** In the order in which they were sent. */
  readonly taken: PublishHint[] = [];
  readonly #messagesMax: number;

  constructor({ messagesMax = MESSAGES_MAX }: { messagesMax?: number } = {}) {
    this.#messagesMax = messagesMax;
  }

  send(hints: readonly PublishHint[]): Promise<UnsentHint[]> {
    const room = Math.min(HINTS_MAX, this.#messagesMax - this.taken.length);
    this.taken.push(...hints.slice(0, room));
    return Promise.resolve(hints.slice(room).map((hint) => ({ hint, reason: "the queue is full" })));
  }
}
