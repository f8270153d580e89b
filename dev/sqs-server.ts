import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import type { AwsCredentials } from "../adapters/aws/sign-aws-request.ts";
import { HINT_DELAY_S_MAX } from "../contracts/publish/publish-hint-queue.ts";
import type { LocalQueue } from "./local-queue.ts";
import { readBody } from "./read-body.ts";
import { verifyAwsSignature } from "./verify-aws-signature.ts";

/** SQS's own limits. */
const BODY_BYTES_MAX = 1024 * 1024;
const ENTRIES_MAX = 10;
const CONTENT_TYPE = "application/x-amz-json-1.0";
const TARGET = "AmazonSQS.SendMessageBatch";

const batch = z.object({
  QueueUrl: z.string(),
  Entries: z
    .array(
      z.object({
        Id: z.string().regex(/^[\w-]{1,80}$/),
        MessageBody: z.string().min(1),
        DelaySeconds: z.number().int().min(0).max(HINT_DELAY_S_MAX).default(0),
      }),
    )
    .min(1)
    .max(ENTRIES_MAX),
});

export interface SqsServerOptions {
  queue: LocalQueue;
  /** The path of the one queue that there is. */
  queuePath: string;
  /** Who may send; null: nobody. */
  credentials: AwsCredentials | null;
}

/**
 * Answers a request as SQS does (AWS JSON 1.0), as far as sending a batch goes: the signature is verified, and an entry for which
 * the queue has no room is refused while the others are taken.
 */
export async function answerSqs(
  options: SqsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const bytes = await readBody(request, BODY_BYTES_MAX);
  const [status, answer] = bytes === null ? refuse("RequestTooLong") : await take(options, request, bytes);
  response.writeHead(status, { "content-type": CONTENT_TYPE, "cache-control": "no-store" });
  response.end(JSON.stringify(answer));
}

type Answer = [status: number, body: object];

async function take(options: SqsServerOptions, request: IncomingMessage, bytes: Buffer): Promise<Answer> {
  const { queue, queuePath, credentials } = options;
  const body = bytes.toString();
  const by = { service: "sqs", nowMs: Date.now() };
  if (credentials === null || !(await verifyAwsSignature(request, body, { ...by, credentials }))) {
    return refuse("InvalidSignatureException", 403);
  }
  if (request.method !== "POST" || request.headers["x-amz-target"] !== TARGET) {
    return refuse("UnknownOperationException");
  }
  const parsed = batch.safeParse(parse(body));
  if (!parsed.success) return refuse("InvalidParameterValue");
  const { QueueUrl, Entries } = parsed.data;
  if (!URL.canParse(QueueUrl) || new URL(QueueUrl).pathname !== queuePath) return refuse("QueueDoesNotExist");
  if (new Set(Entries.map(({ Id }) => Id)).size < Entries.length) return refuse("BatchEntryIdsNotDistinct");
  const Successful: object[] = [];
  const Failed: object[] = [];
  for (const { Id, MessageBody, DelaySeconds } of Entries) {
    const MessageId = queue.send(MessageBody, DelaySeconds * 1000);
    const MD5OfMessageBody = createHash("md5").update(MessageBody).digest("hex");
    if (MessageId === null) Failed.push({ Id, SenderFault: false, Code: "OverLimit", Message: "full" });
    else Successful.push({ Id, MessageId, MD5OfMessageBody });
  }
  return [200, { Successful, Failed }];
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // No object, so it is refused as that.
    return null;
  }
}

const refuse = (code: string, status = 400): Answer => [
  status,
  { __type: `com.amazonaws.sqs#${code}`, message: code },
];
