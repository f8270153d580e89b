import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { problemResponse, TRACE_ID_HEADER } from "../../contracts/problem/problem.ts";
import type { EdgeEnv } from "./env.ts";
import type { Exchange, Isolate, Log } from "./exchange.ts";
import { fetchBatch } from "./fetch-batch.ts";
import { fetchConfig } from "./fetch-config.ts";
import type { AfterAnswer } from "./fetch-notes.ts";
import { createIsolate } from "./isolate.ts";
import type { EdgeCore } from "./open-core.ts";
import { openWatch } from "./open-watch.ts";
import { postReports } from "./post-reports.ts";
import { readHeaders } from "./read-headers.ts";
import { traceIdOf } from "./trace-id.ts";

const CONFIG_PATH = "/api/v1/fetch/config/";
const BATCH_PATH = "/api/v1/fetch/batch";
const REPORTS_PATH = "/api/v1/reports";
const WATCH_PATH = "/api/v1/watch";
const HEALTH_PATH = "/healthz";

export interface EdgeOptions {
  /**
   * The trusted region of a request, one of `regions` (the first is the default). In production it comes from where the
   * request arrived and never from anything the client sent.
   */
  regionOf: (request: Request, regions: readonly string[]) => string;
  /** Cloudflare's name of the location where a request arrived, as trusted as the region; undefined where there is none. */
  locationOf: (request: Request) => string | undefined;
  /** The last place to ask; null for none. */
  openCore: (env: EdgeEnv) => EdgeCore | null;
  log: Log;
}

export interface Edge {
  fetch: (request: Request, env: EdgeEnv, context: AfterAnswer) => Promise<Response> | Response;
}

/** The edge Worker. Hosts differ in where the region comes from and where the log goes, and in nothing else. */
export function createEdge({ regionOf, locationOf, openCore, log }: EdgeOptions): Edge {
  let isolate: Isolate | null = null;
  return {
    fetch(request, env, context) {
      const headers = readHeaders(request.headers);
      const traceId = traceIdOf(headers.traceparent);
      try {
        isolate ??= createIsolate(env, log, openCore);
        const { regions, replicaGroups } = isolate.settings;
        // What the platform tells of a request is dear to ask for: it is asked again only where it makes a difference.
        const location = replicaGroups > 1 ? locationOf(request) : undefined;
        const region = isolate.region(regionOf(request, regions), location);
        const { method } = request;
        const answer = route({
          isolate,
          region,
          request,
          method,
          headers,
          traceId,
          nowMs: Date.now(),
          after: context,
        });
        // A hit is no promise, and is not made one.
        return answer instanceof Response
          ? answer
          : answer.catch((error: unknown) => refusal(error, traceId, log));
      } catch (error) {
        return refusal(error, traceId, log);
      }
    },
  };
}

function route(exchange: Exchange): Promise<Response> | Response {
  const { request, method } = exchange;
  const { url } = request;
  // Past the slashes of "http://"; a host has at least one character.
  const start = url.indexOf("/", 8);
  if (url.startsWith(CONFIG_PATH, start)) {
    if (method !== "GET" && method !== "HEAD") throw new MethodRefused("GET, HEAD");
    return fetchConfig(exchange, pathFrom(url, start + CONFIG_PATH.length));
  }
  const path = pathFrom(url, start);
  if (path === BATCH_PATH) {
    requireMethod(method, "POST");
    return fetchBatch(exchange);
  }
  if (path === REPORTS_PATH) {
    requireMethod(method, "POST");
    return postReports(exchange);
  }
  if (path === WATCH_PATH) {
    requireMethod(method, "GET");
    return openWatch(exchange);
  }
  if (path === HEALTH_PATH) {
    requireMethod(method, "GET, HEAD");
    return health(exchange);
  }
  throw new ConfluxError("not_found", "there is nothing at this path");
}

/** Alive, and where this isolate stands; asks nobody. */
function health({ region, traceId }: Exchange): Response {
  const { position, token } = region.head;
  return Response.json(
    { status: "ok", region: region.name, index: position === null ? null : token },
    { headers: { "cache-control": "no-store", [TRACE_ID_HEADER]: traceId } },
  );
}

/** What is left of the path; cut out by hand, since a URL object costs more than the rest of a hit. */
function pathFrom(url: string, start: number): string {
  const query = url.indexOf("?", start);
  return query === -1 ? url.slice(start) : url.slice(start, query);
}

class MethodRefused extends ConfluxError {
  readonly allow: string;
  constructor(allow: string) {
    super("method_not_allowed", `this resource answers ${allow}`);
    this.allow = allow;
  }
}

function requireMethod(method: string, allow: "GET" | "POST" | "GET, HEAD"): void {
  if (!allow.split(", ").includes(method)) throw new MethodRefused(allow);
}

function refusal(error: unknown, traceId: string, log: Log): Response {
  const known = error instanceof ConfluxError ? error : null;
  const refused = known ?? new ConfluxError("internal", "something went wrong here", { cause: error });
  const response = problemResponse(refused, traceId);
  if (response.status === 500) log({ level: "error", message: refused.message, trace_id: traceId, error });
  if (refused instanceof MethodRefused) response.headers.set("allow", refused.allow);
  if (response.status === 401) response.headers.set("www-authenticate", 'Bearer realm="conflux"');
  return response;
}
