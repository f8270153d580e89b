import type { MiddlewareHandler } from "hono";
import { toHex } from "../../adapters/digest/sha256-hex.ts";
import { TRACE_ID_HEADER } from "../../contracts/problem/problem.ts";
import type { AdminEnv } from "./principal.ts";

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Takes the caller's trace (W3C trace context) or begins one; puts its id on every answer. */
export const trace: MiddlewareHandler<AdminEnv> = async (c, next) => {
  const match = TRACEPARENT.exec(c.req.header("traceparent") ?? "");
  const given = match?.[1];
  const traceId =
    given !== undefined && /[^0]/.test(given) && /[^0]/.test(match?.[2] ?? "") ? given : randomHex(16);
  c.set("traceId", traceId);
  c.set("traceparent", `00-${traceId}-${randomHex(8)}-${match?.[3] ?? "01"}`);
  await next();
  c.header(TRACE_ID_HEADER, traceId);
  c.header("x-content-type-options", "nosniff");
};

function randomHex(bytes: number): string {
  return toHex(crypto.getRandomValues(new Uint8Array(bytes)));
}
