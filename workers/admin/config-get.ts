import type { OpenAPIHono } from "@hono/zod-openapi";
import { configView } from "../../contracts/config/config-schemas.ts";
import { idParams, readQuery } from "../../contracts/config/fields.ts";
import { viewConfig, viewSchema } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/configs/{id}",
    tags: ["configs"],
    summary: "Get a config",
    request: { params: idParams, query: readQuery },
    responses: { 200: { description: "The config; ETag names its revision", content: json(configView) } },
  },
);

export function registerConfigGet(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const config = await findConfig(c, c.req.valid("param").id, c.req.valid("query").consistency);
    const view = viewConfig(config);
    c.header("etag", view.etag);
    return c.json({ ...view, schema: viewSchema(config.schema) }, 200);
  });
}
