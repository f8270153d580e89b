import { z } from "zod";
import {
  HINTS_MAX,
  type PublishHint,
  type PublishHintQueue,
  type publishHintBody,
  type UnsentHint,
} from "../../contracts/publish/publish-hint-queue.ts";
import { readAwsEnvironment } from "../aws/aws-environment.ts";
import { signAwsRequest } from "../aws/sign-aws-request.ts";

/** SQS's own limit. */
const BATCH_MAX = 10;
/** For all calls of one send: whoever sends has other things to do. */
const SEND_MS_MAX = 2_000;
const REASON_CHARACTERS_MAX = 200;

const batchAnswer = z.object({
  Successful: z.array(z.object({ Id: z.string() })).optional(),
  Failed: z.array(z.object({ Id: z.string(), Code: z.string(), Message: z.string().optional() })).optional(),
});
const refusal = z.object({ ["__type"]: z.string(), message: z.string().optional() });

export interface SqsPublishHintQueueOptions {
  /** As SQS names the queue: its origin is where to call, a stand-in's too. */
  queueUrl: string;
  /** The environment that credentials and region come from. */
  environment: Record<string, string | undefined>;
  nowMs: () => number;
  deadlineMs?: number;
}

/**
 * Hints as messages of an SQS queue, ten a call, without repeats: one that is lost costs less than waiting for it. Speaks SQS's
 * JSON protocol (AWS JSON 1.0), since no client of the SDK for it is among the dependencies.
 */
export class SqsPublishHintQueue implements PublishHintQueue {
  readonly #options: SqsPublishHintQueueOptions;

  constructor(options: SqsPublishHintQueueOptions) {
    this.#options = options;
  }

  async send(hints: readonly PublishHint[]): Promise<UnsentHint[]> {
    const unsent = hints.slice(HINTS_MAX).map((hint) => ({ hint, reason: `more than ${HINTS_MAX} at once` }));
    const signal = AbortSignal.timeout(this.#options.deadlineMs ?? SEND_MS_MAX);
    for (let i = 0; i < Math.min(hints.length, HINTS_MAX); i += BATCH_MAX) {
      const batch = hints.slice(i, Math.min(i + BATCH_MAX, HINTS_MAX));
      try {
        unsent.push(...(await this.#sendBatch(batch, signal)));
      } catch (error) {
        const reason = sayWhy(error);
        // The queue would say the same of the rest.
        return [...hints.slice(i, HINTS_MAX).map((hint) => ({ hint, reason })), ...unsent];
      }
    }
    return unsent;
  }

  async #sendBatch(batch: readonly PublishHint[], signal: AbortSignal): Promise<UnsentHint[]> {
    const { queueUrl, environment, nowMs } = this.#options;
    const { region, credentials } = readAwsEnvironment(environment);
    const url = new URL("/", queueUrl);
    const body = JSON.stringify({
      QueueUrl: queueUrl,
      Entries: batch.map(({ publish_id, delay_s }, i) => {
        const text: z.infer<typeof publishHintBody> = { publish_id };
        return { Id: String(i), MessageBody: JSON.stringify(text), DelaySeconds: delay_s };
      }),
    });
    const { host: _host, ...headers } = await signAwsRequest(
      {
        method: "POST",
        url,
        headers: {
          "content-type": "application/x-amz-json-1.0",
          "x-amz-target": "AmazonSQS.SendMessageBatch",
        },
        body,
      },
      { credentials, region, service: "sqs", nowMs: nowMs() },
    );
    const answer = await fetch(url, { method: "POST", headers, body, signal, redirect: "error" });
    if (!answer.ok) throw new Error(await sayRefusal(answer));
    const { Successful: taken = [], Failed: failed = [] } = batchAnswer.parse(await answer.json());
    return batch.flatMap((hint, i) => {
      if (taken.some(({ Id }) => Id === String(i))) return [];
      const found = failed.find(({ Id }) => Id === String(i));
      const reason = found === undefined ? "not in the answer" : [found.Code, found.Message ?? ""].join(" ");
      return [{ hint, reason: cut(reason) }];
    });
  }
}

async function sayRefusal(answer: Response): Promise<string> {
  const said = refusal.safeParse(await answer.json().catch(() => null));
  if (!said.success) return `status ${answer.status}`;
  const { ["__type"]: type, message = "" } = said.data;
  return `${answer.status} ${type} ${message}`;
}

/** `fetch failed` says nothing; its cause does. */
function sayWhy(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return cut(`${error instanceof Error ? error.message : String(error)}${cause}`);
}

const cut = (text: string): string => text.replaceAll(/\s+/g, " ").trim().slice(0, REASON_CHARACTERS_MAX);
