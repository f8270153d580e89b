/**
 * Child of the supervisor: runs the Lambda handlers as AWS would. Function URLs are paths of one HTTP server (events
 * in payload format 2.0); the feed projection is invoked again and again, each time with a deadline of its own.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreClient } from "../adapters/core-client/core-client.ts";
import { connectPostgres } from "../adapters/postgres/connect.ts";
import { createHandler as createFeedProjection } from "../lambdas/feed-projection.ts";
import { createHandler as createPasswordHash } from "../lambdas/password-hash.ts";
import { type FunctionUrlHandler, invokeFunctionUrl } from "./function-url.ts";
import { PASSWORD_HASH_PATH } from "./names.ts";

/** Time of one invocation of the projection: short enough that a dead dependency is noticed. */
const PROJECTION_INVOCATION_MS = 30_000;
/** Pause after a failed invocation, doubling with every failure in a row. */
const PROJECTION_PAUSE_MIN_MS = 200;
const PROJECTION_PAUSE_MAX_MS = 5_000;
/** AWS's own limit of a synchronous invocation. */
const FUNCTION_BODY_BYTES_MAX = 6 * 1024 * 1024;
const STOP_MS = 2_000;

const env = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

const routes: Record<string, FunctionUrlHandler> = {
  [PASSWORD_HASH_PATH]: createPasswordHash({ serviceKey: env("LAMBDA_SERVICE_KEY"), nowMs: Date.now }),
};
const database = connectPostgres(env("DATABASE_URL"), { connectionsMax: 2 });
const project = createFeedProjection({
  core: new CoreClient({
    urls: JSON.parse(env("CORE_URLS")) as string[],
    serviceKey: env("CORE_SERVICE_KEY"),
    role: "lambda",
  }),
  database,
  nowMs: Date.now,
});

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(502);
    response.end();
  });
});
server.once("error", (error) => {
  console.error(error);
  process.exit(1);
});
server.listen(Number(env("CONFLUX_LAMBDA_PORT")), "127.0.0.1", () => process.send?.({ type: "ready" }));

let isFollowing = false;
process.on("message", (message: { follow?: boolean }) => {
  if (message.follow !== true || isFollowing) return;
  isFollowing = true;
  void follow();
});
for (const name of ["SIGTERM", "SIGINT"] as const) {
  process.once(name, () => {
    setTimeout(() => process.exit(0), STOP_MS).unref();
    server.close();
    server.closeAllConnections();
    void database.close().finally(() => process.exit(0));
  });
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "/").split("?")[0] ?? "/";
  const handler = routes[path];
  if (!handler) {
    response.writeHead(404, { "content-type": "text/plain" }).end("no function at this path\n");
    return;
  }
  await invokeFunctionUrl(handler, request, response, FUNCTION_BODY_BYTES_MAX);
}

/** Invokes the projection for ever. A failed invocation is retried after a pause; the cursor is in Postgres. */
async function follow(): Promise<never> {
  let failures = 0;
  for (;;) {
    const deadlineMs = performance.now() + PROJECTION_INVOCATION_MS;
    try {
      await project({}, { getRemainingTimeInMillis: () => Math.max(0, deadlineMs - performance.now()) });
      failures = 0;
    } catch (error) {
      failures += 1;
      console.error(`feed-projection failed (${failures} in a row):`, error);
      await sleep(Math.min(PROJECTION_PAUSE_MIN_MS * 2 ** (failures - 1), PROJECTION_PAUSE_MAX_MS));
    }
  }
}
