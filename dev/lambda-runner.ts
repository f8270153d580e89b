/**
 * Child of the supervisor: runs the Lambda functions as AWS would, from events of AWS's shapes, each invocation with a
 * deadline. Function URLs are paths of one HTTP server. Schedules fire again and again: the feed projection's at once,
 * because each invocation follows the feed by long poll until its time is over, the publish stage's every second, the audit's
 * anchor every ten. The server is the SQS, too, through which the projection sends hints to the publish stage.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import type { AwsCredentials } from "../adapters/aws/sign-aws-request.ts";
import { connectDynamoDb } from "../adapters/dynamodb/connect-dynamodb.ts";
import { createMissingTables } from "../adapters/dynamodb/create-tables.ts";
import { DYNAMODB_TABLES } from "../contracts/dynamodb/tables.ts";
import { handler as anchorAudit } from "../lambdas/audit-anchor.ts";
import { handler as projectFeed } from "../lambdas/feed-projection.ts";
import { handler as hashPassword } from "../lambdas/password-hash.ts";
import { handler as advanceStages } from "../lambdas/publish-stage.ts";
import { environmentValue } from "../lambdas/support/environment-value.ts";
import { PASSWORD_HASH_PATH, PUBLISH_HINTS_QUEUE_PATH } from "./names.ts";
import { type UrlFunction, answerByFunction } from "./function-url.ts";
import { createHintQueue, deliverHints } from "./hint-delivery.ts";
import { scheduledEvent } from "./lambda-events.ts";
import { invoke, type LocalContext, type LocalFunction } from "./lambda-invoke.ts";
import { answerSqs } from "./sqs-server.ts";
import { stopServerOnSignal } from "./stop-on-signal.ts";

/** Pause after a failed invocation, doubling with every failure in a row. */
const PAUSE_MIN_MS = 200;
const PAUSE_MAX_MS = 5_000;

const urlFunctions: Record<string, UrlFunction> = {
  [PASSWORD_HASH_PATH]: { name: "password-hash", timeoutMs: 10_000, handler: hashPassword },
};
/** Their time is short enough that a dead dependency is noticed. */
const projection = { name: "feed-projection", timeoutMs: 30_000, handler: projectFeed };
const publishStage = { name: "publish-stage", timeoutMs: 30_000, handler: advanceStages };
const auditAnchor = { name: "audit-anchor", timeoutMs: 30_000, handler: anchorAudit };
const ANCHOR_EVERY_MS = 10_000;
const STAGE_EVERY_MS = Number(environmentValue("CONFLUX_PUBLISH_EVERY_S")) * 1000;
/** The same function, as a batch of the queue calls it. */
const hintedStage = { ...publishStage, handler: advanceHinted };
const hintQueue = createHintQueue();

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(502);
    response.end();
  });
});
stopServerOnSignal(server);
server.listen(Number(environmentValue("CONFLUX_LAMBDA_PORT")), "127.0.0.1", () =>
  process.send?.({ type: "ready" }),
);

let isFollowing = false;
process.on("message", (message: { follow?: boolean }) => {
  if (message.follow !== true || isFollowing) return;
  isFollowing = true;
  void follow();
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "/").split("?")[0] ?? "/";
  if (path === "/") {
    const credentials = ownCredentials();
    await answerSqs(
      { queue: hintQueue, queuePath: PUBLISH_HINTS_QUEUE_PATH, credentials },
      request,
      response,
    );
    return;
  }
  const fn = urlFunctions[path];
  if (!fn) {
    response.writeHead(404, { "content-type": "text/plain" }).end("no function at this path\n");
    return;
  }
  await answerByFunction(fn, request, response);
}

/** What this process signs with; null when it has nothing of the kind, and the hints are left out. */
function ownCredentials(): AwsCredentials | null {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
  if (accessKeyId === undefined || secretAccessKey === undefined) return null;
  return { accessKeyId, secretAccessKey, sessionToken: process.env["AWS_SESSION_TOKEN"] };
}

async function advanceHinted(event: SQSEvent, context: LocalContext): Promise<SQSBatchResponse | void> {
  const answered = await advanceStages(event, context);
  if ("batchItemFailures" in answered) return answered;
}

/** Makes the tables, then fires the schedules for ever. */
async function follow(): Promise<void> {
  const client = connectDynamoDb({ url: environmentValue("DYNAMODB_ENDPOINT") });
  await persist("the tables", () => createMissingTables(client, DYNAMODB_TABLES));
  void fire(projection, 0);
  if (STAGE_EVERY_MS > 0) void fire(publishStage, STAGE_EVERY_MS);
  void deliverHints(hintQueue, hintedStage, (what, error) => console.error(`${what}:`, error));
  void fire(auditAnchor, ANCHOR_EVERY_MS);
}

/** Fires a function's schedule for ever, `pauseMs` after each invocation has ended. */
async function fire<A>(fn: LocalFunction<unknown, A>, pauseMs: number): Promise<never> {
  for (;;) {
    await persist(fn.name, () => invoke(fn, scheduledEvent(fn.name, Date.now())));
    if (pauseMs > 0) await sleep(pauseMs);
  }
}

/** Does `work` until it succeeds: what failed is told and tried again after a pause. */
async function persist(what: string, work: () => Promise<unknown>): Promise<void> {
  for (let failures = 0; ;) {
    try {
      await work();
      return;
    } catch (error) {
      failures += 1;
      console.error(`${what} failed (${failures} in a row):`, error);
      await sleep(Math.min(PAUSE_MIN_MS * 2 ** (failures - 1), PAUSE_MAX_MS));
    }
  }
}
