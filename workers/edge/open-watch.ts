import {
  hubName,
  WATCH_PRINCIPAL_HEADER,
  type WatchPrincipal,
} from "../../contracts/delivery/replica-rpc.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { authenticate, bearerToken, refuseRevoked } from "./authenticate.ts";
import { withDeadline } from "./deadline.ts";
import type { Exchange } from "./exchange.ts";
import { limitClientRate } from "./limit-client-rate.ts";
import { ensureHead } from "./read-head.ts";

/** How a browser, which cannot set headers on a WebSocket, carries its token. */
const BEARER_PROTOCOL = "conflux.bearer.";
/** The page's origin may not watch. */
const CLOSE_FORBIDDEN_ORIGIN = 4403;
const HUB_DEADLINE_MS = 20_000;

/**
 * `GET /api/v1/watch`: authenticates and hands the connection to a hub shard of the region. The hub gets what was
 * verified in `WATCH_PRINCIPAL_HEADER` (a client's own is dropped) and never sees the token. Pages of foreign origins are
 * turned away before anything else.
 */
export async function openWatch(exchange: Exchange): Promise<Response> {
  const { request, region, isolate, traceId } = exchange;
  const upgrade = request.headers.get("upgrade")?.toLowerCase() === "websocket";
  const stream = request.headers.get("accept")?.includes("text/event-stream") === true;
  const protocol = offeredProtocol(request);
  if ((upgrade || stream) && !isOriginAllowed(request, isolate.settings.allowedOrigins)) {
    if (upgrade) return closedSocket(CLOSE_FORBIDDEN_ORIGIN, "forbidden origin", protocol, traceId);
    throw new ConfluxError("forbidden", "pages of this origin may not watch");
  }
  const carried = bearerToken(exchange) ?? protocol?.slice(BEARER_PROTOCOL.length) ?? null;
  const token = await authenticate(exchange, carried);
  await limitClientRate(exchange, token);
  if (!upgrade && !stream) {
    throw new ConfluxError(
      "malformed_request",
      "a watch is a WebSocket upgrade or accepts text/event-stream",
    );
  }
  await ensureHead(exchange);
  refuseRevoked(exchange, token);
  const principal: WatchPrincipal = {
    jti: token.jti,
    scopes: token.scopes,
    issued_at_ms: token.issued_at_ms,
    expires_at_ms: token.expires_at_ms,
    region: region.name,
  };
  const headers = new Headers(request.headers);
  headers.delete("authorization");
  headers.delete("sec-websocket-protocol");
  headers.set(WATCH_PRINCIPAL_HEADER, JSON.stringify(principal));
  headers.set("x-trace-id", traceId);
  const shard = chooseShard(token.jti, isolate.settings.hubShards);
  const hub = isolate.env.HUB.getByName(hubName(region.name, shard));
  const answer = await withDeadline(
    hub.fetch(new Request(request.url, { headers })),
    HUB_DEADLINE_MS,
    "the watch hub",
  );
  const response = new Response(answer.webSocket === null ? answer.body : null, answer);
  response.headers.set("x-trace-id", traceId);
  // The protocol that carried the token is the one spoken; a browser refuses an upgrade that names none it offered.
  if (answer.status === 101 && protocol !== null) response.headers.set("sec-websocket-protocol", protocol);
  return response;
}

/** Browsers name the page's origin on every upgrade and every foreign request; who names none is no page. */
function isOriginAllowed(request: Request, allowed: ReadonlySet<string>): boolean {
  const origin = request.headers.get("origin");
  return origin === null || allowed.has(origin) || origin === new URL(request.url).origin;
}

/** Accepts an upgrade only to close it: a page is told a close code, but never the status of a refused upgrade. */
function closedSocket(code: number, reason: string, protocol: string | null, traceId: string): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.close(code, reason);
  const headers = new Headers({ "x-trace-id": traceId });
  if (protocol !== null) headers.set("sec-websocket-protocol", protocol);
  return new Response(null, { status: 101, webSocket: client, headers });
}

/** The offered subprotocol that carries a token, or null. */
function offeredProtocol(request: Request): string | null {
  const offered = request.headers.get("sec-websocket-protocol")?.split(",") ?? [];
  return offered.map((p) => p.trim()).find((p) => p.startsWith(BEARER_PROTOCOL)) ?? null;
}

/** Spreads connections: many clients share a token, so the token alone would put them all on one shard. */
function chooseShard(jti: string, shards: number): number {
  let hash = Math.trunc(Math.random() * 0x1_0000_0000);
  for (let i = 0; i < jti.length; i += 1) hash = Math.imul(hash ^ jti.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shards;
}
