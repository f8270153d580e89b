import type { OpenAPIHono } from "@hono/zod-openapi";
import { idParams, readQuery } from "../../contracts/config/fields.ts";
import { configEtag } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import { readGray } from "./gray-read.ts";
import { type GrayResource, grayAccess, isOf } from "./gray-resources.ts";
import { viewGray } from "./gray-views.ts";
import type { AdminEnv } from "./principal.ts";

export function registerGrayGet(app: OpenAPIHono<AdminEnv>, resource: GrayResource): void {
  const route = declareRoute(
    { action: "read", resource: grayAccess(resource) },
    {
      method: "get",
      path: `${resource.path}/{id}`,
      tags: ["typed configs"],
      summary: `Get the latest version of one ${resource.word}`,
      description: "The draft when there is one, else what was published last.",
      request: { params: idParams, query: readQuery },
      responses: {
        200: {
          description: "Its columns; ETag is that of the config, for writes",
          content: json(resource.views.latest),
        },
      },
    },
  );
  app.openapi(route, async (c) => {
    const { consistency } = c.req.valid("query");
    const config = await findConfig(c, c.req.valid("param").id, consistency, isOf(resource));
    const etag = configEtag(config.revision);
    c.header("etag", etag);
    const latest = await readGray(c, config, consistency);
    return c.json({ ...viewGray(resource, latest, c.var.deps.regions), etag }, 200);
  });
}
