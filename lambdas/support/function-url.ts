import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import {
  PROBLEM_CONTENT_TYPE,
  retryAfterSeconds,
  toProblem,
  TRACE_ID_HEADER,
} from "../../contracts/problem/problem.ts";

/** The parts of a Lambda Function URL event (payload format 2.0) that our handlers read. Header names are lower-case. */
export interface FunctionUrlEvent {
  headers: Record<string, string | undefined>;
  body?: string | undefined;
  isBase64Encoded: boolean;
  requestContext: { http: { method: string; path: string; sourceIp: string } };
}
export interface FunctionUrlAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

/** The body as text. `payload_too_large` over `bytesMax`, `malformed_request` when it is not UTF-8. */
export function bodyText(event: FunctionUrlEvent, bytesMax: number): string {
  const body = event.body ?? "";
  const bytes = Buffer.from(body, event.isBase64Encoded ? "base64" : "utf8");
  if (bytes.byteLength > bytesMax) {
    throw new ConfluxError("payload_too_large", `The body may have ${bytesMax} bytes.`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new ConfluxError("malformed_request", "The body is not UTF-8.", { cause: error });
  }
}

export function jsonAnswer(statusCode: number, body: unknown): FunctionUrlAnswer {
  return {
    statusCode,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: JSON.stringify(body),
  };
}

/** The trace id of the caller's `traceparent`; a new one when there is none. */
export function traceIdOf(event: FunctionUrlEvent): string {
  const traceId = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(
    event.headers["traceparent"] ?? "",
  )?.[1];
  return traceId ?? crypto.randomUUID().replaceAll("-", "");
}

export function problemAnswer(error: ConfluxError, traceId: string): FunctionUrlAnswer {
  const problem = toProblem(error, traceId);
  const retryAfterS = retryAfterSeconds(error);
  const retry = retryAfterS === null ? {} : { "retry-after": String(retryAfterS) };
  return {
    statusCode: problem.status,
    headers: {
      "content-type": PROBLEM_CONTENT_TYPE,
      "cache-control": "no-store",
      [TRACE_ID_HEADER]: traceId,
      ...retry,
    },
    body: JSON.stringify(problem),
  };
}
