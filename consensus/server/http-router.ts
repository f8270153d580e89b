import type { IncomingMessage, ServerResponse } from "node:http";
import { randomBytes } from "node:crypto";
import { CORE_LEADER_ID_HEADER, type ServiceRole } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { PROBLEM_CONTENT_TYPE, toProblem, TRACE_ID_HEADER } from "../../contracts/problem/problem.ts";
import { NotProposedError, OutcomeUnknownError } from "../replicated-log.ts";

export interface CoreRequest {
  /** Path segments that the route leaves open, decoded. */
  params: string[];
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  role: ServiceRole;
  /** 32 hex digits. */
  traceId: string;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
  /** The whole body. Throws `payload_too_large` as soon as it is known to be over `bytesMax`. */
  body(bytesMax: number): Promise<Uint8Array>;
}
export type CoreReply =
  | { json: unknown; status?: number }
  | { bytes: Uint8Array; contentType: string; status?: number };

export interface Route {
  method: "GET" | "POST";
  /** `/v1/configs/:id`: a segment with a colon is open. */
  path: string;
  /** Who may call; null for everyone, without a token. */
  roles: readonly ServiceRole[] | null;
  handle(request: CoreRequest): Promise<CoreReply> | CoreReply;
}

/** The route of a request with its open segments. Throws `not_found` or `method_not_allowed`. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  pathname: string,
): { route: Route; params: string[] } {
  const segments = pathname.split("/").slice(1);
  let pathKnown = false;
  for (const route of routes) {
    const params = matchPath(route.path, segments);
    if (params === null) continue;
    if (route.method === method || (method === "HEAD" && route.method === "GET")) return { route, params };
    pathKnown = true;
  }
  if (pathKnown) throw new ConfluxError("method_not_allowed", `${pathname} does not answer ${method}`);
  throw new ConfluxError("not_found", `no route ${pathname}`);
}

function matchPath(path: string, segments: readonly string[]): string[] | null {
  const want = path.split("/").slice(1);
  if (want.length !== segments.length) return null;
  const params: string[] = [];
  for (const [i, part] of want.entries()) {
    const segment = segments[i] ?? "";
    if (part.startsWith(":")) params.push(decodeSegment(segment));
    else if (part !== segment) return null;
  }
  return params;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new ConfluxError("malformed_request", "the path is not valid percent-encoding", { cause });
  }
}

/** The trace id that the request's W3C `traceparent` names, or a new one. */
export function traceIdOf(headers: IncomingMessage["headers"]): string {
  const given = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(
    String(headers["traceparent"] ?? ""),
  )?.[1];
  return given === undefined || /^0+$/.test(given) ? randomBytes(16).toString("hex") : given;
}

export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const tooLarge = (): ConfluxError =>
    new ConfluxError("payload_too_large", `a body has at most ${bytesMax} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > bytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  const only = chunks.length === 1 ? chunks[0] : undefined;
  return only ?? Buffer.concat(chunks);
}

/** The refusal that an error stands for, and the leader it points to. */
export function toRefusal(error: unknown): { refusal: ConfluxError; leaderId: number | null } {
  if (error instanceof ConfluxError) return { refusal: error, leaderId: null };
  if (error instanceof NotProposedError) {
    const refusal = new ConfluxError("not_proposed", error.message, { cause: error, retryAfterS: 1 });
    return { refusal, leaderId: error.leaderId };
  }
  if (error instanceof OutcomeUnknownError) {
    return { refusal: new ConfluxError("outcome_unknown", error.message, { cause: error }), leaderId: null };
  }
  return { refusal: new ConfluxError("internal", "unexpected error", { cause: error }), leaderId: null };
}

export function sendReply(response: ServerResponse, reply: CoreReply, traceId: string): void {
  const body = "json" in reply ? Buffer.from(JSON.stringify(reply.json)) : reply.bytes;
  response.writeHead(reply.status ?? 200, {
    "content-type": "json" in reply ? "application/json" : reply.contentType,
    "content-length": body.byteLength,
    "cache-control": "no-store",
    [TRACE_ID_HEADER]: traceId,
  });
  response.end(body);
}

export function sendRefusal(
  response: ServerResponse,
  refusal: ConfluxError,
  leaderId: number | null,
  traceId: string,
): void {
  const problem = toProblem(refusal, traceId);
  const body = Buffer.from(JSON.stringify(problem));
  response.writeHead(problem.status, {
    "content-type": PROBLEM_CONTENT_TYPE,
    "content-length": body.byteLength,
    "cache-control": "no-store",
    [TRACE_ID_HEADER]: traceId,
    ...(leaderId === null ? {} : { [CORE_LEADER_ID_HEADER]: String(leaderId) }),
    ...(refusal.retryAfterS === undefined ? {} : { "retry-after": String(refusal.retryAfterS) }),
    // An unread body makes the connection useless: say so instead of reading megabytes to the end.
    ...(refusal.code === "payload_too_large" ? { connection: "close" } : {}),
  });
  response.end(body);
}
