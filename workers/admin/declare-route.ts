import { createRoute, type RouteConfig } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { STATUS_BY_CODE, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import { PROBLEM_CONTENT_TYPE, problemSchema } from "../../contracts/problem/problem.ts";
import type { PermissionAction } from "../../domain/access/permits.ts";
import type { AdminEnv } from "./principal.ts";
import { readBody } from "./read-body.ts";

/**
 * Who may call a route: anyone, anyone with a valid token, or who has `action` on `resource`. The handler asks for the
 * permission itself, since only it knows the resource's name; this declaration is what the OpenAPI document shows.
 */
export type RouteAccess = "public" | "authenticated" | { action: PermissionAction; resource: string };

const authenticated: MiddlewareHandler<AdminEnv> = (c, next) => c.var.deps.authenticate(c, next);

const TRACE_HEADER = {
  "X-Trace-Id": { description: "Trace of this request", schema: { type: "string" as const } },
};
/** What any write may be refused with, besides what any read may. */
const WRITE_CODES: ErrorCode[] = [
  "malformed_request",
  "already_exists",
  "publish_running",
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
  const codes = [...READ_CODES];
  if (access !== "public") codes.push(...AUTH_CODES);
  if (config.method !== "get") codes.push(...WRITE_CODES);
  const success = Object.entries(config.responses).map(([status, response]) => [
    status,
    { headers: TRACE_HEADER, ...response },
  ]);
  const full = {
    ...config,
    security: access === "public" ? [] : [{ bearer: [] }],
    ...(access === "public" ? {} : { "x-conflux-permission": access }),
    middleware: [
      ...(access === "public" ? [] : [authenticated]),
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
