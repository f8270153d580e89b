import { randomUUID } from "node:crypto";
import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { type QueuedMessage, queueEvent } from "./lambda-events.ts";

/** The part of Lambda's context that asynchronous handlers use: all of it but the callbacks of old. */
export type LocalContext = Omit<Context, "done" | "fail" | "succeed">;

/** A function as it would be deployed. */
export interface LocalFunction<E, A> {
  name: string;
  timeoutMs: number;
  handler: (event: E, context: LocalContext) => Promise<A>;
}

/** The function was still running when its time was over. */
export class InvocationTimeoutError extends Error {
  constructor(name: string, timeoutMs: number) {
    super(`${name} timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`);
    this.name = "InvocationTimeoutError";
  }
}

/**
 * Invokes a function once with a context of its own, whose remaining time counts down to the function's timeout. Rejects
 * with what the handler rejects with, or with an `InvocationTimeoutError`; unlike AWS it cannot freeze a handler that
 * goes on after that, so its result is dropped.
 */
export async function invoke<E, A>(fn: LocalFunction<E, A>, event: E): Promise<A> {
  const deadlineMs = performance.now() + fn.timeoutMs;
  const context: LocalContext = {
    callbackWaitsForEmptyEventLoop: true,
    functionName: fn.name,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:aws:lambda:us-east-1:000000000000:function:${fn.name}`,
    memoryLimitInMB: "512",
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${fn.name}`,
    logStreamName: "local",
    getRemainingTimeInMillis: () => Math.max(0, Math.round(deadlineMs - performance.now())),
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_done, fail) => {
    timer = setTimeout(() => fail(new InvocationTimeoutError(fn.name, fn.timeoutMs)), fn.timeoutMs);
  });
  try {
    return await Promise.race([fn.handler(event, context), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Delivers a batch of messages as an event source mapping with `ReportBatchItemFailures` does, and answers which of them
 * the queue must deliver again: those the function names; all of them when it rejects, runs out of time, or names one
 * that is not there.
 */
export async function invokeBatch(
  fn: LocalFunction<SQSEvent, SQSBatchResponse | void>,
  batch: { queue: string; messages: readonly QueuedMessage[]; nowMs: number },
): Promise<{ failed: QueuedMessage[]; error: unknown }> {
  const { queue, messages, nowMs } = batch;
  try {
    const answer = await invoke(fn, queueEvent(queue, messages, nowMs));
    const named = (answer?.batchItemFailures ?? []).map((failure) => failure.itemIdentifier);
    const failed = messages.filter((message) => named.includes(message.messageId));
    const isKnown = named.every((id) => messages.some((message) => message.messageId === id));
    return { failed: isKnown ? failed : [...messages], error: null };
  } catch (error) {
    return { failed: [...messages], error };
  }
}
