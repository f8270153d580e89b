import type { OpenAPIHono } from "@hono/zod-openapi";
import { readQuery } from "../../contracts/config/fields.ts";
import { publishParams, publishView } from "../../contracts/publish/publish-schemas.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findPublish } from "./find-publish.ts";
import type { AdminEnv } from "./principal.ts";
import { viewPublish } from "./publish-views.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/publishes/{pid}",
    tags: ["publishes"],
    summary: "Get a publish plan",
    request: { params: publishParams, query: readQuery },
    responses: { 200: { description: "The plan; ETag names its revision", content: json(publishView) } },
  },
);

export function registerPublishGet(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const plan = await findPublish(c, c.req.valid("param").pid, c.req.valid("query").consistency);
    const view = viewPublish(plan);
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}
