import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { afterEach, describe, expect, test } from "vitest";
import { clientOptions } from "../adapters/aws/aws-endpoint.ts";
import { signAwsRequest } from "../adapters/aws/sign-aws-request.ts";
import { SqsPublishHintQueue } from "../adapters/publish-hint/sqs-publish-hint-queue.ts";
import {
  type HintQueueUnderTest,
  publishHintQueueConformance,
} from "../adapters/publish-hint/testing/publish-hint-queue-conformance.ts";
import { createHintQueue, deliverHints } from "./hint-delivery.ts";
import { LocalQueue } from "./local-queue.ts";
import { readBody } from "./read-body.ts";
import { answerSqs } from "./sqs-server.ts";
import { verifyAwsSignature } from "./verify-aws-signature.ts";

const PATH = "/000000000000/hints";
const CREDENTIALS = { accessKeyId: "LOCALTESTKEY", secretAccessKey: "secret", sessionToken: "session" };
const environment = {
  AWS_REGION: "eu-central-1",
  AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  AWS_SESSION_TOKEN: CREDENTIALS.sessionToken,
};

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((done) => {
    server.listen(0, "127.0.0.1", done);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
/** The stand-in over HTTP. */
const serve = (queue: LocalQueue, credentials: typeof CREDENTIALS | null = CREDENTIALS): Promise<string> =>
  listen(
    createServer(
      (request, response) => void answerSqs({ queue, queuePath: PATH, credentials }, request, response),
    ),
  );
const sender = (origin: string, changes: Record<string, string> = {}, path = PATH) =>
  new SqsPublishHintQueue({
    queueUrl: `${origin}${path}`,
    environment: { ...environment, ...changes },
    nowMs: Date.now,
  });

class WatchedQueue extends LocalQueue {
  readonly held: { body: string; delay_s: number }[] = [];
  override send(body: string, delayMs: number): string | null {
    this.held.push({ body, delay_s: delayMs / 1000 });
    return super.send(body, delayMs);
  }
}

describe("L1 hints in the local SQS", () => {
  publishHintQueueConformance(async (): Promise<HintQueueUnderTest> => {
    const queue = new WatchedQueue({ messagesMax: 1000, retryMs: 0, receivesMax: 1 });
    return { queue: sender(await serve(queue)), held: () => queue.held };
  });

  const hint = (n: number) => ({ publish_id: `pub-c1-${n}-1`, delay_s: 0 });

  test("a full queue takes what it has room for, and names the others", async () => {
    const origin = await serve(new LocalQueue({ messagesMax: 2, retryMs: 0, receivesMax: 1 }));
    const unsent = await sender(origin).send([1, 2, 3, 4].map(hint));
    expect(unsent).toEqual([3, 4].map((n) => ({ hint: hint(n), reason: "OverLimit full" })));
  });

  test.each([
    ["another secret", { AWS_SECRET_ACCESS_KEY: "other" }, PATH, "InvalidSignature"],
    ["another key", { AWS_ACCESS_KEY_ID: "other" }, PATH, "InvalidSignature"],
    ["another session", { AWS_SESSION_TOKEN: "other" }, PATH, "InvalidSignature"],
    ["another queue", {}, "/000000000000/other", "QueueDoesNotExist"],
  ])("%s is refused", async (_what, changes, path, reason) => {
    const queue = new WatchedQueue({ messagesMax: 9, retryMs: 0, receivesMax: 1 });
    const unsent = await sender(await serve(queue), changes, path).send([hint(1)]);
    expect(unsent).toEqual([{ hint: hint(1), reason: expect.stringContaining(reason) as string }]);
    expect(queue.held).toEqual([]);
  });

  test("without credentials of its own it lets nobody in", async () => {
    const unsent = await sender(await serve(createHintQueue(), null)).send([hint(1)]);
    expect(unsent).toHaveLength(1);
  });

  test.each([
    ["a changed body", { body: "{}" }, {}, 403],
    ["an old signature", { nowMs: Date.now() - 3_600_000 }, {}, 403],
    ["another service's signature", { service: "lambda" }, {}, 403],
    ["another call", {}, { target: "AmazonSQS.PurgeQueue" }, 400],
    ["no JSON", {}, { body: "{" }, 400],
    ["too many at once", {}, { entries: 11 }, 400],
    ["a delay that is too long", {}, { delay: 901 }, 400],
    ["two entries of one id", {}, { ids: ["a", "a"] }, 400],
    ["nothing wrong", {}, {}, 200],
  ])("%s is answered as SQS does", async (_what, signed, sent, status) => {
    const { target, entries, delay, ids, body: raw } = sent as Record<string, never>;
    const url = new URL(await serve(createHintQueue()));
    const some: string[] = ids ?? Array.from({ length: entries ?? 1 }, (_, i) => String(i));
    const body =
      raw ??
      JSON.stringify({
        QueueUrl: `${url.origin}${PATH}`,
        Entries: some.map((Id) => ({ Id, MessageBody: "x", DelaySeconds: delay ?? 0 })),
      });
    const {
      body: signedBody,
      service,
      nowMs,
    } = signed as { body?: string; service?: string; nowMs?: number };
    const headers = {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": target ?? "AmazonSQS.SendMessageBatch",
    };
    const { host: _host, ...signature } = await signAwsRequest(
      { method: "POST", url, headers, body: signedBody ?? body },
      {
        credentials: CREDENTIALS,
        region: "eu-central-1",
        service: service ?? "sqs",
        nowMs: nowMs ?? Date.now(),
      },
    );
    expect((await fetch(url, { method: "POST", headers: signature, body })).status).toBe(status);
  });
});

describe("L1 a signature", () => {
  test("of AWS's own client is right by our word, and wrong for another body or secret", async () => {
    const seen: [IncomingMessage, string][] = [];
    const url = await listen(
      createServer((request, response) => {
        const take = async (): Promise<void> => {
          seen.push([request, String(await readBody(request, 10_000))]);
          response.writeHead(200, { "content-type": "application/x-amz-json-1.0" }).end('{"TableNames":[]}');
        };
        void take();
      }),
    );
    const credentials = CREDENTIALS;
    await new DynamoDBClient({ ...clientOptions({ url, region: "us-east-1" }), credentials }).send(
      new ListTablesCommand({ Limit: 3 }),
    );
    const [[request, body] = []] = seen;
    if (request === undefined || body === undefined) throw new Error("nothing was sent");
    const by = { credentials, service: "dynamodb", nowMs: Date.now() };
    expect(await verifyAwsSignature(request, body, by)).toBe(true);
    expect(await verifyAwsSignature(request, `${body} `, by)).toBe(false);
    expect(await verifyAwsSignature(request, body, { ...by, service: "sqs" })).toBe(false);
    const other = { ...credentials, secretAccessKey: "other" };
    expect(await verifyAwsSignature(request, body, { ...by, credentials: other })).toBe(false);
  });
});

describe("L1 the local queue of hints", () => {
  test("hands batches to the function, and what it names again, until it is given up", async () => {
    const queue = new LocalQueue({ messagesMax: 99, retryMs: 0, receivesMax: 3 });
    const told: [string, unknown][] = [];
    const seen: string[] = [];
    const handler = async (event: { Records: { body: string; messageId: string }[] }) => {
      for (const { body } of event.Records) seen.push(body);
      if (event.Records.some(({ body }) => body === "crash")) throw new Error("crash");
      const failed = event.Records.filter(({ body }) => body === "bad");
      return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
    };
    for (const body of ["good", "bad"]) queue.send(body, 0);
    void deliverHints(queue, { name: "stage", timeoutMs: 1000, handler }, (...line) => told.push(line));
    await expect.poll(() => told).toEqual([["a hint was given up", "bad"]]);
    expect(seen.toSorted()).toEqual(["bad", "bad", "bad", "good"]);
    queue.send("crash", 0);
    await expect.poll(() => told.length).toBe(5);
    expect(told.slice(1).map(([what]) => what)).toEqual([
      "stage failed on a batch of hints",
      "stage failed on a batch of hints",
      "stage failed on a batch of hints",
      "a hint was given up",
    ]);
  });
});
