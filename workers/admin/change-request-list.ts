import type { OpenAPIHono } from "@hono/zod-openapi";
import {
  changeRequestQuery,
  changeRequestSummary,
} from "../../contracts/change-request/change-request-api.ts";
import { listOf } from "../../contracts/config/config-schemas.ts";
import { viewChangeRequest } from "./change-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { omitUndefined } from "./omit-undefined.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

const route = declareRoute(
  { action: "list", resource: "{tenant}/{app or *}/{env or *}/*" },
  {
    method: "get",
    path: "/api/v1/mgt/change-requests",
    tags: ["changes"],
    summary: "List the change requests of a tenant, an app, an env or a config, the newest first",
    request: { query: changeRequestQuery },
    responses: { 200: { description: "A page", content: json(listOf(changeRequestSummary)) } },
  },
);

export function registerChangeRequestList(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { consistency, status: state, ...filter } = c.req.valid("query");
    const { tenant, app: appName, env } = filter;
    await requireDeclared(c, { tenant, app: appName, env });
    // One time for what is looked for and what is shown.
    const nowMs = Date.now();
    const input = { ...omitUndefined({ ...filter, state }), now_ms: nowMs };
    const page = await c.var.deps.core.listChangeRequests(input, {
      consistency,
      traceparent: c.var.traceparent,
    });
    const items = page.items.map((request) => viewChangeRequest(request, nowMs));
    return c.json({ items, next_cursor: page.next_cursor }, 200);
  });
}
