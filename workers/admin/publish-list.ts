import type { OpenAPIHono } from "@hono/zod-openapi";
import { listOf } from "../../contracts/config/config-schemas.ts";
import { idParams, listQuery } from "../../contracts/config/fields.ts";
import { isLogPlace, listCursor } from "../../contracts/list-cursor.ts";
import { publishView } from "../../contracts/publish/publish-schemas.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import { omitUndefined } from "./omit-undefined.ts";
import type { AdminEnv } from "./principal.ts";
import { viewPublish } from "./publish-views.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/configs/{id}/publishes",
    tags: ["publishes"],
    summary: "List a config's publish plans, newest first",
    request: { params: idParams, query: listQuery.extend({ cursor: listCursor(isLogPlace) }) },
    responses: { 200: { description: "A page", content: json(listOf(publishView)) } },
  },
);

export function registerPublishList(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { consistency, ...page } = c.req.valid("query");
    const config = await findConfig(c, c.req.valid("param").id, consistency);
    const input = omitUndefined({ config_id: config.id, ...page });
    const { core } = c.var.deps;
    const { items, next_cursor } = await core.listPublishes(input, {
      consistency,
      traceparent: c.var.traceparent,
    });
    return c.json({ items: items.map(viewPublish), next_cursor }, 200);
  });
}
