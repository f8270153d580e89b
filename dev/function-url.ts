import type { IncomingMessage, ServerResponse } from "node:http";
import type { FunctionUrlAnswer, FunctionUrlEvent } from "../lambdas/support/function-url.ts";
import { functionUrlEvent } from "./lambda-events.ts";
import { type LocalFunction, invoke } from "./lambda-invoke.ts";
import { readBody } from "./read-body.ts";

export type UrlFunction = LocalFunction<FunctionUrlEvent, FunctionUrlAnswer>;

/** AWS's own limit of a synchronous invocation. */
const BODY_BYTES_MAX = 6 * 1024 * 1024;

/**
 * Invokes a function as its Function URL does and writes its answer. A body over AWS's limit is answered 413 without an
 * invocation. Rejects, having written nothing, when the invocation fails.
 */
export async function answerByFunction(
  fn: UrlFunction,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request, BODY_BYTES_MAX);
  if (body === null) {
    response.writeHead(413, { connection: "close" }).end();
    return;
  }
  const answer = await invoke(fn, functionUrlEvent(request, body, Date.now()));
  response.writeHead(answer.statusCode, answer.headers).end(answer.body);
}
