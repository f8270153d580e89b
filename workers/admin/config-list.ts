import type { OpenAPIHono } from "@hono/zod-openapi";
import { configSummary, listConfigsQuery, listOf } from "../../contracts/config/config-schemas.ts";
import { viewConfig } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { omitUndefined } from "./omit-undefined.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

const route = declareRoute(
  { action: "list", resource: "{tenant}/{app or *}/{env or *}/*" },
  {
    method: "get",
    path: "/api/v1/mgt/configs",
    tags: ["configs"],
    summary: "List the configs of a tenant, an app or an env",
    request: { query: listConfigsQuery },
    responses: { 200: { description: "A page", content: json(listOf(configSummary)) } },
  },
);

/** What is left out of the query is asked for as `*`: a caller who may list one app must name it. */
export function registerConfigList(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { consistency, ...filter } = c.req.valid("query");
    const { tenant, app: appName, env } = filter;
    await requireDeclared(c, { tenant, app: appName, env });
    const { core } = c.var.deps;
    const page = await core.listConfigs(omitUndefined(filter), {
      consistency,
      traceparent: c.var.traceparent,
    });
    return c.json({ items: page.items.map(viewConfig), next_cursor: page.next_cursor }, 200);
  });
}
