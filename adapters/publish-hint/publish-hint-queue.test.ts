import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startFauxqs } from "fauxqs";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { PublishHint } from "../../contracts/publish/publish-hint-queue.ts";
import { MemoryPublishHintQueue } from "../memory/memory-publish-hint-queue.ts";
import { SqsPublishHintQueue } from "./sqs-publish-hint-queue.ts";
import { publishHintQueueConformance } from "./testing/publish-hint-queue-conformance.ts";

const environment = { AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
const hints = (n: number): PublishHint[] =>
  Array.from({ length: n }, (_, i) => ({ publish_id: `pub-c1-${i}-9`, delay_s: 0 }));

describe("L1 hints in memory", () => {
  publishHintQueueConformance(async () => {
    const queue = new MemoryPublishHintQueue();
    const held = () =>
      queue.taken.map(({ publish_id, delay_s }) => ({ body: JSON.stringify({ publish_id }), delay_s }));
    return { queue, held };
  });

  it("a full queue says so", async () => {
    const queue = new MemoryPublishHintQueue({ messagesMax: 2 });
    expect(await queue.send(hints(3))).toEqual([{ hint: hints(3)[2], reason: "the queue is full" }]);
  });
});

// An SQS that others wrote, over HTTP; it does not look at signatures (dev/sqs-server.test.ts does).
const sqs = await startFauxqs({ port: 0, logger: false });
afterAll(() => sqs.stop());

describe("L1 hints in SQS", () => {
  let serial = 0;
  publishHintQueueConformance(async () => {
    const name = `hints-${(serial += 1)}`;
    sqs.createQueue(name);
    const queueUrl = `http://127.0.0.1:${sqs.port}/000000000000/${name}`;
    const held = () => {
      const { ready = [], delayed = [] } = sqs.inspectQueue(name)?.messages ?? {};
      return [...ready, ...delayed].map(({ body, delayUntil, sentTimestamp }) => ({
        body,
        delay_s: delayUntil === undefined ? 0 : Math.round((delayUntil - sentTimestamp) / 1000),
      }));
    };
    return { queue: new SqsPublishHintQueue({ queueUrl, environment, nowMs: Date.now }), held };
  });

  it("a queue that is not there: nothing is sent, and the answer says why", async () => {
    const queueUrl = `http://127.0.0.1:${sqs.port}/000000000000/none`;
    const unsent = await new SqsPublishHintQueue({ queueUrl, environment, nowMs: Date.now }).send(hints(12));
    expect(unsent.map(({ hint }) => hint)).toEqual(hints(12));
    for (const { reason } of unsent) expect(reason).toContain("QueueDoesNotExist");
  });
});

describe("L1 an SQS that does not do as it should", () => {
  let server: Server | null = null;
  let calls = 0;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = null;
    calls = 0;
  });
  async function queue(listener: RequestListener, changes: object = {}): Promise<SqsPublishHintQueue> {
    const started = createServer((request, response) => {
      calls += 1;
      listener(request, response);
    });
    server = started;
    await new Promise<void>((done) => {
      started.listen(0, "127.0.0.1", done);
    });
    const queueUrl = `http://127.0.0.1:${(started.address() as AddressInfo).port}/1/hints`;
    return new SqsPublishHintQueue({ queueUrl, environment, nowMs: Date.now, ...changes });
  }
  const answering =
    (status: number, body: unknown): RequestListener =>
    (_request, response) => {
      response.writeHead(status, { "content-type": "application/x-amz-json-1.0" });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    };

  it("takes some of a batch: the others are named, each with its reason", async () => {
    const some = await queue(
      answering(200, {
        Successful: [{ Id: "0" }],
        Failed: [{ Id: "2", SenderFault: false, Code: "InternalError", Message: "try\nagain" }],
      }),
    );
    expect(await some.send(hints(3))).toEqual([
      { hint: hints(3)[1], reason: "not in the answer" },
      { hint: hints(3)[2], reason: "InternalError try again" },
    ]);
  });

  it.each([
    [
      "refuses",
      403,
      { __type: "com.amazonaws.sqs#AccessDenied", message: "no" },
      "403 com.amazonaws.sqs#AccessDenied no",
    ],
    ["fails", 500, "<html>", "status 500"],
    ["talks nonsense", 200, "<html>", "JSON"],
    ["answers something else", 200, { Successful: 3 }, "expected array"],
    ["sends elsewhere", 302, "", "redirect"],
  ])("that %s: nothing is sent, and only one call is made", async (_what, status, body, reason) => {
    const unsent = await (await queue(answering(status, body))).send(hints(25));
    expect(unsent.map(({ hint }) => hint)).toEqual(hints(25));
    for (const one of unsent) expect(one.reason).toContain(reason);
    expect(calls).toBe(1);
  });

  it("never answers: it is given up at the deadline, for all of them", async () => {
    const unsent = await (await queue(() => undefined, { deadlineMs: 50 })).send(hints(25));
    expect(unsent).toHaveLength(25);
    for (const { reason } of unsent) expect(reason).toContain("timeout");
  });

  it("is away", async () => {
    const away = new SqsPublishHintQueue({
      queueUrl: "http://127.0.0.1:1/1/hints",
      environment,
      nowMs: Date.now,
    });
    const unsent = await away.send(hints(2));
    expect(unsent.map(({ hint }) => hint)).toEqual(hints(2));
  });

  it("a function without credentials says so", async () => {
    const unsent = await (
      await queue(answering(200, {}), { environment: { AWS_REGION: "us-east-1" } })
    ).send(hints(1));
    expect(unsent[0]?.reason).toContain("AWS_ACCESS_KEY_ID");
    expect(calls).toBe(0);
  });
});
