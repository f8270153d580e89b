import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { SQSEvent } from "aws-lambda";
import { afterEach, describe, expect, test } from "vitest";
import { type UrlFunction, answerByFunction } from "./function-url.ts";
import { scheduledEvent } from "./lambda-events.ts";
import { type LocalContext, InvocationTimeoutError, invoke, invokeBatch } from "./lambda-invoke.ts";

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

/** Serves a function; answers its URL and the events it was given. */
async function serve(answer: { statusCode: number; headers: Record<string, string>; body: string }) {
  const events: unknown[] = [];
  const fn: UrlFunction = {
    name: "echo",
    timeoutMs: 5_000,
    handler: (event) => {
      events.push(event);
      return Promise.resolve(answer);
    },
  };
  server = createServer((request, response) => void answerByFunction(fn, request, response));
  await new Promise<void>((done) => server?.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, events };
}
const ok = { statusCode: 202, headers: { "x-answer": "yes" }, body: "done" };

describe("L1 a Function URL", () => {
  test("makes an event of payload format 2.0 and writes the answer", async () => {
    const { url, events } = await serve(ok);
    const response = await fetch(`${url}/a%20b/c?x=1&y=2&x=3`, {
      method: "POST",
      headers: { "X-Thing": "T", cookie: "a=1; b=2", "content-type": "application/json", "user-agent": "ua" },
      body: '{"text":"grüße"}',
    });
    expect([response.status, response.headers.get("x-answer"), await response.text()]).toEqual([
      202,
      "yes",
      "done",
    ]);
    const [event] = events as Record<string, unknown>[];
    expect(event).toMatchObject({
      version: "2.0",
      routeKey: "$default",
      rawPath: "/a%20b/c",
      rawQueryString: "x=1&y=2&x=3",
      queryStringParameters: { x: "1,3", y: "2" },
      cookies: ["a=1", "b=2"],
      headers: { "x-thing": "T", "content-type": "application/json" },
      body: '{"text":"grüße"}',
      isBase64Encoded: false,
      requestContext: {
        accountId: "anonymous",
        stage: "$default",
        http: {
          method: "POST",
          path: "/a%20b/c",
          protocol: "HTTP/1.1",
          sourceIp: "127.0.0.1",
          userAgent: "ua",
        },
      },
    });
    expect(event?.["headers"]).not.toHaveProperty("cookie");
    const context = event?.["requestContext"] as { time: string; timeEpoch: number };
    expect(context.time).toMatch(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
  });

  test.each([
    ["bytes", "application/octet-stream", Buffer.from([0, 255, 1])],
    ["a text that is not UTF-8", "text/plain", Buffer.from([0xff, 0xfe])],
  ])("%s come in base64", async (_name, type, body) => {
    const { url, events } = await serve(ok);
    await fetch(url, { method: "POST", headers: { "content-type": type }, body });
    expect(events[0]).toMatchObject({ body: body.toString("base64"), isBase64Encoded: true });
  });

  test("no body is no body, and one over AWS's limit is never an event", async () => {
    const { url, events } = await serve(ok);
    await fetch(url);
    expect(events[0]).not.toHaveProperty("body");
    const large = fetch(url, { method: "POST", body: Buffer.alloc(6 * 1024 * 1024 + 1) });
    // The server may hang up while the body is still being sent.
    const status = await large.then(
      (response) => response.status,
      () => 413,
    );
    expect([status, events]).toEqual([413, [expect.anything()]]);
  });
});

test("L1 a schedule makes EventBridge's event", () => {
  const event = scheduledEvent("feed-projection", Date.UTC(2026, 10, 22, 23, 38, 13, 500));
  expect(event).toEqual({
    version: "0",
    id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    "detail-type": "Scheduled Event",
    source: "aws.events",
    account: "000000000000",
    time: "2026-11-22T23:38:13Z",
    region: "us-east-1",
    resources: ["arn:aws:events:us-east-1:000000000000:rule/feed-projection"],
    detail: {},
  });
});

describe("L1 an invocation", () => {
  test("has a context of its own and less time left as it goes", async () => {
    const contexts: LocalContext[] = [];
    const fn = {
      name: "f",
      timeoutMs: 5_000,
      handler: async (_event: unknown, context: LocalContext) => {
        contexts.push(context);
        const before = context.getRemainingTimeInMillis();
        while (context.getRemainingTimeInMillis() === before) await new Promise(setImmediate);
        return [before, context.getRemainingTimeInMillis()];
      },
    };
    const [before = 0, after = 0] = await invoke(fn, {});
    expect(before).toBeLessThanOrEqual(5_000);
    expect(after).toBeLessThan(before);
    await invoke(fn, {});
    expect(contexts[0]?.awsRequestId).not.toBe(contexts[1]?.awsRequestId);
    expect(contexts[0]).toMatchObject({ functionName: "f", functionVersion: "$LATEST" });
  });

  test("that outlives its deadline fails; what a handler throws is passed on", async () => {
    const hanging = { name: "slow", timeoutMs: 20, handler: () => new Promise<never>(() => undefined) };
    await expect(invoke(hanging, {})).rejects.toBeInstanceOf(InvocationTimeoutError);
    const error = new Error("mine");
    const failing = { name: "bad", timeoutMs: 1_000, handler: () => Promise.reject(error) };
    await expect(invoke(failing, {})).rejects.toBe(error);
  });
});

describe("L1 a batch with partial failures", () => {
  const messages = ["a", "b", "c"].map((messageId, i) => ({
    messageId,
    body: `{"n":${i}}`,
    receiveCount: i + 1,
    sentAtMs: 1_000,
  }));
  const deliver = (
    handler: (event: SQSEvent) => Promise<{ batchItemFailures: { itemIdentifier: string }[] } | void>,
  ) => invokeBatch({ name: "f", timeoutMs: 50, handler }, { queue: "calls", messages, nowMs: 2_000 });
  const failing = (...ids: string[]) => ({
    batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
  });

  test("makes SQS's event, and only what the function names comes again", async () => {
    let seen: SQSEvent | null = null;
    const { failed, error } = await deliver((event) => {
      seen = event;
      return Promise.resolve(failing("b"));
    });
    expect([failed.map((m) => m.messageId), error]).toEqual([["b"], null]);
    expect(seen).toMatchObject({
      Records: [
        {
          messageId: "a",
          body: '{"n":0}',
          eventSource: "aws:sqs",
          eventSourceARN: "arn:aws:sqs:us-east-1:000000000000:calls",
          attributes: { ApproximateReceiveCount: "1", SentTimestamp: "1000" },
        },
        { messageId: "b", attributes: { ApproximateReceiveCount: "2" } },
        { messageId: "c" },
      ],
    });
  });

  test.each([
    ["names none", () => Promise.resolve(failing()), []],
    ["answers nothing", () => Promise.resolve(), []],
    ["names all", () => Promise.resolve(failing("a", "b", "c")), ["a", "b", "c"]],
    ["names one that is not there", () => Promise.resolve(failing("a", "x")), ["a", "b", "c"]],
    ["rejects", () => Promise.reject(new Error("down")), ["a", "b", "c"]],
    ["runs out of time", () => new Promise<never>(() => undefined), ["a", "b", "c"]],
  ])("a function that %s", async (_name, handler, again) => {
    expect((await deliver(handler)).failed.map((m) => m.messageId)).toEqual(again);
  });
});
