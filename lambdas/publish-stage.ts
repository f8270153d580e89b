import { z } from "zod";
import { CoreClient } from "../adapters/core-client/core-client.ts";
import { connectDynamoDb } from "../adapters/dynamodb/connect-dynamodb.ts";
import { DynamoDbLeaseStore } from "../adapters/dynamodb/dynamodb-lease-store.ts";
import { connectPostgres } from "../adapters/postgres/connect.ts";
import { invokeWebhookFunction } from "../adapters/publish-gate/invoke-webhook-function.ts";
import { postWebhook } from "../adapters/publish-gate/post-webhook.ts";
import { publishHintBody } from "../contracts/publish/publish-hint-queue.ts";
import type { PostWebhook } from "../contracts/publish/webhook-api.ts";
import {
  advanceDuePublishes,
  advanceHintedPublishes,
  type DuePublishesDeps,
  type PublishStageReport,
} from "./support/advance-due-publishes.ts";
import { environmentValue } from "./support/environment-value.ts";
import { functionLog } from "./support/function-log.ts";
import { createPublishGates } from "./support/publish-gates.ts";

/** The part of Lambda's context that the handler reads. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number;
}
export interface BatchAnswer {
  batchItemFailures: { itemIdentifier: string }[];
}
type Handler = (event: unknown, context: InvocationContext) => Promise<PublishStageReport | BatchAnswer>;

const hintBatch = z.object({ Records: z.array(z.object({ messageId: z.string(), body: z.string() })) });

/** One invocation of a sandbox at a time, whose gates on delivery reports ask side by side. */
const CONNECTIONS_MAX = 4;
/** Instead of a function's name: this machine posts to webhooks itself, local ones included. */
const LOCAL_WEBHOOKS = "local";

/**
 * Moves publish plans on whose stage has baked and whose gates hold (P4), stops those whose gates fail, and ends pauses that
 * count as forgotten (P5). A schedule's event, whatever it holds, means: all that are due. A
 * batch of a queue's messages `{"publish_id"}` means: these, if they are due; the answer names the messages that must come
 * again. Two runs at once, a repeated event and a crash at any place do no harm. Rejects, and so fails the invocation,
 * when the core or DynamoDB is away or a plan could not be moved on.
 */
export function createHandler(
  deps: Omit<DuePublishesDeps, "remainingMs" | "holder" | "newTraceId"> & { newId: () => string },
): Handler {
  return async (event, context) => {
    const { newId, ...others } = deps;
    const run: DuePublishesDeps = {
      ...others,
      holder: newId(),
      newTraceId: newId,
      remainingMs: () => context.getRemainingTimeInMillis(),
    };
    const batch = hintBatch.safeParse(event);
    if (!batch.success) return advanceDuePublishes(run);
    const hints = batch.data.Records.map(({ messageId, body }) => ({ messageId, publishId: readHint(body) }));
    const again = await advanceHintedPublishes(run, hints);
    return { batchItemFailures: again.map((itemIdentifier) => ({ itemIdentifier })) };
  };
}

/** The plan that a message names; null for a text that is no hint. */
function readHint(body: string): string | null {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    // The queue delivers it again and then puts it where somebody looks.
    return null;
  }
  return publishHintBody.safeParse(json).data?.publish_id ?? null;
}

let deployed: Handler | null = null;

/**
 * The deployed function. Its environment has `CORE_URLS` (JSON), `CORE_SERVICE_KEY`, `DATABASE_URL`, `LAMBDA_SERVICE_KEY`
 * (which seals the secrets of webhooks) and `GATE_WEBHOOK_FUNCTION` (what posts to them), and for a stand-in
 * `DYNAMODB_ENDPOINT`; region and credentials are the SDK's own. Clients live as long as the sandbox.
 */
export const handler: Handler = (event, context) => {
  deployed ??= deploy();
  return deployed(event, context);
};

function deploy(): Handler {
  const core = new CoreClient({
    urls: JSON.parse(environmentValue("CORE_URLS")) as string[],
    serviceKey: environmentValue("CORE_SERVICE_KEY"),
    role: "lambda",
  });
  return createHandler({
    core,
    gates: createPublishGates({
      core,
      database: connectPostgres(environmentValue("DATABASE_URL"), { connectionsMax: CONNECTIONS_MAX }),
      post: webhooksBy(environmentValue("GATE_WEBHOOK_FUNCTION")),
      serviceKey: environmentValue("LAMBDA_SERVICE_KEY"),
      nowMs: Date.now,
    }),
    leases: new DynamoDbLeaseStore(connectDynamoDb(dynamoDbEndpoint()), Date.now),
    nowMs: Date.now,
    random: Math.random,
    newId: () => crypto.randomUUID().replaceAll("-", ""),
    log: functionLog("publish-stage"),
  });
}

function webhooksBy(functionName: string): PostWebhook {
  return functionName === LOCAL_WEBHOOKS
    ? (request) => postWebhook({ allowLocal: true }, request)
    : (request) =>
        invokeWebhookFunction({ functionName, environment: process.env, nowMs: Date.now }, request);
}

function dynamoDbEndpoint() {
  const url = process.env["DYNAMODB_ENDPOINT"];
  return url === undefined ? {} : { url };
}
