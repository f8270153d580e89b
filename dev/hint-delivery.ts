/** The queue of hints on this machine, as SQS and its event source mapping would be: in this process, and gone with it. */
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { type LocalFunction, invokeBatch } from "./lambda-invoke.ts";
import { LocalQueue } from "./local-queue.ts";

const MESSAGES_MAX = 10_000;
/** As many as deployed (cdk/publish-hints.ts); sooner again, since nobody waits five minutes in front of a screen. */
const BATCH_MAX = 5;
const RECEIVES_MAX = 3;
const RETRY_MS = 5_000;

export const createHintQueue = (): LocalQueue =>
  new LocalQueue({ messagesMax: MESSAGES_MAX, retryMs: RETRY_MS, receivesMax: RECEIVES_MAX });

/**
 * Hands the queue's messages to the function, batch after batch, for ever. What it names comes again; what was delivered often
 * enough is told to `giveUp`, in the place of a dead-letter queue. Does not end; failures of the function are told, too.
 */
export async function deliverHints(
  queue: LocalQueue,
  fn: LocalFunction<SQSEvent, SQSBatchResponse | void>,
  tell: (what: string, error: unknown) => void,
): Promise<never> {
  for (;;) {
    const messages = await queue.receive(BATCH_MAX);
    const batch = { queue: "conflux-publish-hints", messages, nowMs: Date.now() };
    const { failed, error } = await invokeBatch(fn, batch);
    if (error !== null) tell(`${fn.name} failed on a batch of hints`, error);
    for (const { body } of queue.settle(messages, failed)) tell("a hint was given up", body);
  }
}
