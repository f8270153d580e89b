import { randomUUID } from "node:crypto";
import type { QueuedMessage } from "./lambda-events.ts";

export interface LocalQueueOptions {
  /** What is delayed, waits or is being worked on; beyond it nothing is taken. */
  messagesMax: number;
  /** After so long a message that was not done comes again. */
  retryMs: number;
  /** Deliveries of one message. */
  receivesMax: number;
}
interface Held extends QueuedMessage {
  visibleAtMs: number;
}

/**
 * A queue with delays like SQS's, for one receiver, in this process: what it holds ends with it. A message is delivered again
 * until it is done or was delivered `receivesMax` times.
 */
export class LocalQueue {
  readonly #options: LocalQueueOptions;
  readonly #held = new Map<string, Held>();
  #inWork = 0;
  #wake: () => void = () => undefined;

  constructor(options: LocalQueueOptions) {
    this.#options = options;
  }

  /** The new message's id; null when the queue is full. */
  send(body: string, delayMs: number): string | null {
    if (this.#held.size + this.#inWork >= this.#options.messagesMax) return null;
    const messageId = randomUUID();
    const sentAtMs = Date.now();
    this.#held.set(messageId, {
      messageId,
      body,
      receiveCount: 0,
      sentAtMs,
      visibleAtMs: sentAtMs + delayMs,
    });
    this.#wake();
    return messageId;
  }

  /** Waits until a message is visible and answers up to `max` of them, the first to become visible first. */
  async receive(max: number): Promise<QueuedMessage[]> {
    for (;;) {
      const nowMs = Date.now();
      const ordered = [...this.#held.values()].toSorted((a, b) => a.visibleAtMs - b.visibleAtMs);
      const visible = ordered.filter((held) => held.visibleAtMs <= nowMs).slice(0, max);
      if (visible.length > 0) {
        for (const { messageId } of visible) this.#held.delete(messageId);
        this.#inWork += visible.length;
        return visible.map(({ visibleAtMs: _at, ...message }) => {
          return { ...message, receiveCount: message.receiveCount + 1 };
        });
      }
      await this.#untilSent(ordered[0] === undefined ? null : ordered[0].visibleAtMs - nowMs);
    }
  }

  /**
   * Ends the work on `messages`: those in `failed` come again after a while. Answers those of them that were delivered often
   * enough, which are gone.
   */
  settle(messages: readonly QueuedMessage[], failed: readonly QueuedMessage[]): QueuedMessage[] {
    this.#inWork -= messages.length;
    const isDead = ({ receiveCount }: QueuedMessage): boolean => receiveCount >= this.#options.receivesMax;
    const visibleAtMs = Date.now() + this.#options.retryMs;
    for (const message of failed) {
      if (!isDead(message)) this.#held.set(message.messageId, { ...message, visibleAtMs });
    }
    this.#wake();
    return failed.filter(isDead);
  }

  /** Until a message comes, or for so long. */
  async #untilSent(waitMs: number | null): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (waitMs !== null) timer = setTimeout(resolve, waitMs);
    });
    clearTimeout(timer);
  }
}
