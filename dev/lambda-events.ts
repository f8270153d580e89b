/** Events as AWS makes them, as far as their shape goes; nothing here knows our functions. */
import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { LambdaFunctionURLEvent, ScheduledEvent, SQSEvent } from "aws-lambda";

const REGION = "us-east-1";
const ACCOUNT = "000000000000";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TEXT_BODY =
  /^(text\/|application\/([a-z0-9.-]+\+)?(json|xml)\b|application\/(javascript|x-www-form-urlencoded))/;

/**
 * A request to a Function URL: payload format 2.0, header names in lower case and joined by commas, cookies apart, a
 * body of text as it is and any other in base64.
 */
export function functionUrlEvent(
  request: Pick<IncomingMessage, "url" | "method" | "headers" | "httpVersion" | "socket">,
  body: Buffer,
  nowMs: number,
): LambdaFunctionURLEvent {
  const url = new URL(request.url ?? "/", "http://function");
  const { cookie, ...others } = request.headers;
  const headers = Object.fromEntries(
    Object.entries(others).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : value]),
  );
  const text = TEXT_BODY.test(request.headers["content-type"] ?? "") ? asText(body) : null;
  const query = [...new Set(url.searchParams.keys())].map((name) => [
    name,
    url.searchParams.getAll(name).join(","),
  ]);
  const host = request.headers.host ?? "";
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    ...(cookie === undefined ? {} : { cookies: cookie.split("; ") }),
    headers,
    ...(query.length === 0
      ? {}
      : { queryStringParameters: Object.fromEntries(query) as Record<string, string> }),
    requestContext: {
      accountId: "anonymous",
      apiId: "local",
      domainName: host,
      domainPrefix: host.split(".")[0] ?? "",
      http: {
        method: request.method ?? "GET",
        path: url.pathname,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? "",
        userAgent: request.headers["user-agent"] ?? "",
      },
      requestId: randomUUID(),
      routeKey: "$default",
      stage: "$default",
      time: commonLogTime(nowMs),
      timeEpoch: nowMs,
    },
    ...(body.byteLength === 0 ? {} : { body: text ?? body.toString("base64") }),
    isBase64Encoded: body.byteLength > 0 && text === null,
  };
}

/** An EventBridge rule with a schedule fires at `nowMs`. */
export function scheduledEvent(rule: string, nowMs: number): ScheduledEvent<Record<string, never>> {
  return {
    version: "0",
    id: randomUUID(),
    "detail-type": "Scheduled Event",
    source: "aws.events",
    account: ACCOUNT,
    time: `${new Date(nowMs).toISOString().slice(0, 19)}Z`,
    region: REGION,
    resources: [`arn:aws:events:${REGION}:${ACCOUNT}:rule/${rule}`],
    detail: {},
  };
}

/** A message as a queue holds it. */
export interface QueuedMessage {
  messageId: string;
  body: string;
  /** This delivery included. */
  receiveCount: number;
  sentAtMs: number;
}

/** A batch of a queue's messages. */
export function queueEvent(queue: string, messages: readonly QueuedMessage[], nowMs: number): SQSEvent {
  return {
    Records: messages.map((message) => ({
      messageId: message.messageId,
      receiptHandle: randomUUID(),
      body: message.body,
      attributes: {
        ApproximateReceiveCount: String(message.receiveCount),
        SentTimestamp: String(message.sentAtMs),
        SenderId: ACCOUNT,
        ApproximateFirstReceiveTimestamp: String(nowMs),
      },
      messageAttributes: {},
      md5OfBody: createHash("md5").update(message.body).digest("hex"),
      eventSource: "aws:sqs",
      eventSourceARN: `arn:aws:sqs:${REGION}:${ACCOUNT}:${queue}`,
      awsRegion: REGION,
    })),
  };
}

/** Null when the bytes are not UTF-8. */
function asText(body: Buffer): string | null {
  const text = body.toString("utf8");
  return Buffer.from(text, "utf8").equals(body) ? text : null;
}

/** As in web servers' logs: `22/Nov/2026:23:38:13 +0000`. */
function commonLogTime(nowMs: number): string {
  const at = new Date(nowMs);
  const day = String(at.getUTCDate()).padStart(2, "0");
  const clock = at.toISOString().slice(11, 19);
  return `${day}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${clock} +0000`;
}
