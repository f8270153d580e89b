import { z } from "zod";
import { CoreClient } from "../adapters/core-client/core-client.ts";
import { connectDynamoDb } from "../adapters/dynamodb/connect-dynamodb.ts";
import { DynamoDbLeaseStore } from "../adapters/dynamodb/dynamodb-lease-store.ts";
import {
  advanceDuePublishes,
  advanceHintedPublishes,
  type DuePublishesDeps,
  type PublishStageReport,
} from "./support/advance-due-publishes.ts";
import { environmentValue } from "./support/environment-value.ts";

/** The part of Lambda's context that the handler reads. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number;
}
export interface BatchAnswer {
  batchItemFailures: { itemIdentifier: string }[];
}
type Handler = (event: unknown, context: InvocationContext) => Promise<PublishStageReport | BatchAnswer>;

const hintBatch = z.object({ Records: z.array(z.object({ messageId: z.string(), body: z.string() })) });
const hintBody = z.object({ publish_id: z.string().min(1).max(128) });

/**
 * Moves publish plans on whose stage has baked (P4) or whose pause counts as forgotten (P5). A schedule's event, whatever it holds, means: all that are due. A
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
  return hintBody.safeParse(json).data?.publish_id ?? null;
}

let deployed: Handler | null = null;

/**
 * The deployed function. Its environment has `CORE_URLS` (JSON) and `CORE_SERVICE_KEY`, and for a stand-in
 * `DYNAMODB_ENDPOINT`; region and credentials are the SDK's own. Clients live as long as the sandbox.
 */
export const handler: Handler = (event, context) => {
  deployed ??= createHandler({
    core: new CoreClient({
      urls: JSON.parse(environmentValue("CORE_URLS")) as string[],
      serviceKey: environmentValue("CORE_SERVICE_KEY"),
      role: "lambda",
    }),
    leases: new DynamoDbLeaseStore(connectDynamoDb(dynamoDbEndpoint()), Date.now),
    nowMs: Date.now,
    newId: () => crypto.randomUUID().replaceAll("-", ""),
  });
  return deployed(event, context);
};

function dynamoDbEndpoint() {
  const url = process.env["DYNAMODB_ENDPOINT"];
  return url === undefined ? {} : { url };
}
