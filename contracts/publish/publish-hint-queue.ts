import { z } from "zod";

/** The longest that a queue holds a message back (SQS's own limit). */
export const HINT_DELAY_S_MAX = 900;
/** Hints of one send. */
export const HINTS_MAX = 100;

/** That a plan may go on by itself, `delay_s` seconds from now. */
export interface PublishHint {
  publish_id: string;
  /** Whole, 0 to HINT_DELAY_S_MAX. */
  delay_s: number;
}
/** A message's text. */
export const publishHintBody = z.object({ publish_id: z.string().min(1).max(128) });

export interface UnsentHint {
  hint: PublishHint;
  reason: string;
}

/**
 * Tells publish-stage of plans, each when its delay is over. A hint saves waiting for the schedule and nothing else, so it may
 * be lost, doubled, late and out of order.
 */
export interface PublishHintQueue {
  /**
   * Never rejects, and ends within seconds: answers the hints that the queue has not taken or was not heard to take, with
   * why. What is over HINTS_MAX is not sent.
   */
  send(hints: readonly PublishHint[]): Promise<UnsentHint[]>;
}
