import { createRoute, type RouteConfig } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { STATUS_BY_CODE, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import { PROBLEM_CONTENT_TYPE, problemSchema } from "../../contracts/problem/problem.ts";
import type { AdminEnv } from "./principal.ts";
import { readBody } from "./read-body.ts";
import type { RouteAccess } from "./route-access.ts";

const authenticated: MiddlewareHandler<AdminEnv> = (c, next) => c.var.deps.authenticate(c, next);

/**
 * Holds a route to what it declares. Only the handler knows the resource's name, often after looking it up; so it asks
 * (require-permission.ts), and an answer that it gives without having found the declared permission does not leave.
 */
function hold(access: RouteAccess): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    c.set("check", { access, passed: "public" in access });
    await next();
    if (c.res.ok && !c.var.check.passed) {
      throw new Error(`${c.req.method} ${c.req.path} answered without asking for what it declares`);
    }
  };
}

const TRACE_HEADER = {
  "X-Trace-Id": { description: "Trace of this request", schema: { type: "string" as const } },
};
/** What any write may be refused with, besides what any read may. */
const WRITE_CODES: ErrorCode[] = [
  "malformed_request",
  "already_exists",
  "publish_running",
  "approval_required",
  "change_frozen",
  "invalid_transition",
  "idempotency_conflict",
  "precondition_failed",
  "payload_too_large",
  "quota_exceeded",
  "unsupported_media_type",
];
const READ_CODES: ErrorCode[] = ["validation_failed", "not_found", "internal", "unavailable"];
const AUTH_CODES: ErrorCode[] = ["unauthenticated", "forbidden", "rate_limited"];

/**
 * Declares a route of the admin API, once for the router and for the OpenAPI document. Order at run time:
 * authentication, reading the body within its limit, validation by the schemas, the handler.
 */
export function declareRoute<R extends RouteConfig>(
  access: RouteAccess,
  config: R,
): R & { getRoutingPath(): string } {
  const isPublic = "public" in access;
  const codes = [...READ_CODES];
  if (!isPublic) codes.push(...AUTH_CODES);
  if (config.method !== "get") codes.push(...WRITE_CODES);
  const success = Object.entries(config.responses).map(([status, response]) => [
    status,
    { headers: TRACE_HEADER, ...response },
  ]);
  const full = {
    ...config,
    security: isPublic ? [] : [{ bearer: [] }],
    "x-conflux-access": access,
    middleware: [
      hold(access),
      ...(isPublic ? [] : [authenticated]),
      readBody,
      ...[config.middleware ?? []].flat(),
    ],
    responses: { ...problemResponses(codes), ...Object.fromEntries(success) },
  };
  return createRoute(full);
}

function problemResponses(codes: readonly ErrorCode[]): RouteConfig["responses"] {
  const byStatus = Map.groupBy(codes, (code) => STATUS_BY_CODE[code]);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: `Problem: ${group.join(", ")}`,
        headers: TRACE_HEADER,
        content: { [PROBLEM_CONTENT_TYPE]: { schema: problemSchema } },
      },
    ]),
  );
}

/** A JSON body, in a request or in an answer. */
export function json<S>(schema: S): { "application/json": { schema: S } } {
  return { "application/json": { schema } };
}
