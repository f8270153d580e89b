import type { IncomingMessage, ServerResponse } from "node:http";
import { readBody } from "./read-body.ts";
import type { FunctionUrlAnswer, FunctionUrlEvent } from "../lambdas/support/function-url.ts";

export type FunctionUrlHandler = (event: FunctionUrlEvent) => Promise<FunctionUrlAnswer>;

/**
 * Invokes a handler as a Lambda Function URL does: one event in payload format 2.0, the body in base64, one answer.
 * A body over `bodyBytesMax` is answered 413 without an invocation, as AWS does.
 */
export async function invokeFunctionUrl(
  handler: FunctionUrlHandler,
  request: IncomingMessage,
  response: ServerResponse,
  bodyBytesMax: number,
): Promise<void> {
  const body = await readBody(request, bodyBytesMax);
  if (body === null) {
    response.writeHead(413, { connection: "close" }).end();
    return;
  }
  const url = new URL(request.url ?? "/", "http://function");
  const headers = Object.entries(request.headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(",") : value,
  ]);
  const event = {
    version: "2.0",
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers: Object.fromEntries(headers) as Record<string, string | undefined>,
    body: body.toString("base64"),
    isBase64Encoded: true,
    requestContext: {
      http: {
        method: request.method ?? "GET",
        path: url.pathname,
        sourceIp: request.socket.remoteAddress ?? "",
      },
    },
  };
  const answer = await handler(event);
  response.writeHead(answer.statusCode, answer.headers).end(answer.body);
}
