import { CoreClient } from "../adapters/core-client/core-client.ts";
import { connectDynamoDb } from "../adapters/dynamodb/connect-dynamodb.ts";
import { DynamoDbCursorStore } from "../adapters/dynamodb/dynamodb-cursor-store.ts";
import { connectPostgres } from "../adapters/postgres/connect.ts";
import { SqsPublishHintQueue } from "../adapters/publish-hint/sqs-publish-hint-queue.ts";
import { environmentValue } from "./support/environment-value.ts";
import { functionLog } from "./support/function-log.ts";
import { projectFeed, type ProjectionDeps, type ProjectionReport } from "./support/project-feed.ts";

/** The part of Lambda's context that the handler reads. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number;
}
type Handler = (event: unknown, context: InvocationContext) => Promise<ProjectionReport>;

/** One invocation of a sandbox at a time: a transaction and a spare. */
const CONNECTIONS_MAX = 2;

/**
 * Projects the core's feed into Postgres until shortly before the invocation's deadline. Started by a schedule, whose
 * event it does not read; two at once do no harm. Rejects, and so fails the invocation, when the core, Postgres or
 * DynamoDB is away; a queue of hints that is away is only logged.
 */
export function createHandler(deps: Omit<ProjectionDeps, "remainingMs">): Handler {
  return (_event, context) => projectFeed({ ...deps, remainingMs: () => context.getRemainingTimeInMillis() });
}

let deployed: Handler | null = null;

/**
 * The deployed function. Its environment has `CORE_URLS` (JSON), `CORE_SERVICE_KEY`, `DATABASE_URL` and
 * `PUBLISH_HINTS_QUEUE_URL`, and for a stand-in `DYNAMODB_ENDPOINT`; region and credentials are the SDK's own. Clients live as long as the sandbox.
 */
export const handler: Handler = (event, context) => {
  deployed ??= createHandler({
    core: new CoreClient({
      urls: JSON.parse(environmentValue("CORE_URLS")) as string[],
      serviceKey: environmentValue("CORE_SERVICE_KEY"),
      role: "lambda",
    }),
    database: connectPostgres(environmentValue("DATABASE_URL"), { connectionsMax: CONNECTIONS_MAX }),
    cursors: new DynamoDbCursorStore(connectDynamoDb(dynamoDbEndpoint()), Date.now),
    hints: new SqsPublishHintQueue({
      queueUrl: environmentValue("PUBLISH_HINTS_QUEUE_URL"),
      environment: process.env,
      nowMs: Date.now,
    }),
    nowMs: Date.now,
    log: functionLog("feed-projection"),
  });
  return deployed(event, context);
};

function dynamoDbEndpoint() {
  const url = process.env["DYNAMODB_ENDPOINT"];
  return url === undefined ? {} : { url };
}
