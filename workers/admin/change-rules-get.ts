import type { OpenAPIHono } from "@hono/zod-openapi";
import { changeRulesQuery, changeRulesView } from "../../contracts/change-request/change-rules-api.ts";
import { viewChangeRules } from "./change-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}" },
  {
    method: "get",
    path: "/api/v1/mgt/change-rules",
    tags: ["changes"],
    summary: "What a tenant asks of changes: approvals and freeze windows",
    request: { query: changeRulesQuery },
    responses: { 200: { description: "Empty lists before any are set", content: json(changeRulesView) } },
  },
);

export function registerChangeRulesGet(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { tenant } = c.req.valid("query");
    await requireDeclared(c, { tenant });
    const { rules } = await c.var.deps.core.getChangeRules(tenant, { traceparent: c.var.traceparent });
    const view = viewChangeRules(rules);
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}
