import type { OpenAPIHono } from "@hono/zod-openapi";
import { idParams, readQuery } from "../../contracts/config/fields.ts";
import { releasesView } from "../../contracts/config/release-schemas.ts";
import { configEtag } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/configs/{id}/releases",
    tags: ["releases"],
    summary: "Get a config's release rules",
    request: { params: idParams, query: readQuery },
    responses: {
      200: { description: "The rules, in the order they were written", content: json(releasesView) },
    },
  },
);

export function registerReleasesGet(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const config = await findConfig(c, c.req.valid("param").id, c.req.valid("query").consistency);
    const etag = configEtag(config.revision);
    c.header("etag", etag);
    return c.json({ releases: config.releases, etag }, 200);
  });
}
