import { CoreClient } from "../adapters/core-client/core-client.ts";
import { connectDynamoDb } from "../adapters/dynamodb/connect-dynamodb.ts";
import { DynamoDbCursorStore } from "../adapters/dynamodb/dynamodb-cursor-store.ts";
import { connectPostgres } from "../adapters/postgres/connect.ts";
import { type AnchorDeps, type AnchorReport, anchorAuditChains } from "./support/anchor-audit-chains.ts";
import { environmentValue } from "./support/environment-value.ts";
import { functionLog } from "./support/function-log.ts";

/** The part of Lambda's context that the handler reads. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number;
}
type Handler = (event: unknown, context: InvocationContext) => Promise<AnchorReport>;

/** It reads one page after the other. */
const CONNECTIONS_MAX = 1;

/**
 * Verifies the end of every audit chain and anchors it in the log (A5). Started by a schedule, whose event it does not read;
 * two at once do no harm. A run without time for all chains is followed by one that begins where it ended. Rejects, and so
 * fails the invocation, when a chain is not as it was written, or when the core or Postgres is away.
 */
export function createHandler(deps: Omit<AnchorDeps, "remainingMs">): Handler {
  return (_event, context) =>
    anchorAuditChains({ ...deps, remainingMs: () => context.getRemainingTimeInMillis() });
}

let deployed: Handler | null = null;

/**
 * The deployed function. Its environment has `CORE_URLS` (JSON), `CORE_SERVICE_KEY` and `DATABASE_URL`, and for a stand-in
 * `DYNAMODB_ENDPOINT`; region and credentials are the SDK's own. Clients live as long as the sandbox.
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
    newTraceId: () => crypto.randomUUID().replaceAll("-", ""),
    log: functionLog("audit-anchor"),
  });
  return deployed(event, context);
};

function dynamoDbEndpoint() {
  const url = process.env["DYNAMODB_ENDPOINT"];
  return url === undefined ? {} : { url };
}
