import type { OpenAPIHono } from "@hono/zod-openapi";
import { listOf, listVersionsQuery } from "../../contracts/config/config-schemas.ts";
import { idParams } from "../../contracts/config/fields.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import { readGrayWhole } from "./gray-read.ts";
import { type GrayResource, grayAccess, isOf } from "./gray-resources.ts";
import { viewGray } from "./gray-views.ts";
import { omitUndefined } from "./omit-undefined.ts";
import type { AdminEnv } from "./principal.ts";
import { readPlansSince } from "./read-plans.ts";
import { oldestOf } from "./version-statuses.ts";

/** P2: the versions side by side, each with its status and the regions in which it is in effect. */
export function registerGrayVersions(app: OpenAPIHono<AdminEnv>, resource: GrayResource): void {
  const route = declareRoute(
    { action: "read", resource: grayAccess(resource) },
    {
      method: "get",
      path: `${resource.path}/{id}/versions`,
      tags: ["typed configs"],
      summary: `List the versions of one ${resource.word}, newest first`,
      request: { params: idParams, query: listVersionsQuery },
      responses: { 200: { description: "A page", content: json(listOf(resource.views.version)) } },
    },
  );
  app.openapi(route, async (c) => {
    const { consistency, ...page } = c.req.valid("query");
    const { core, regions } = c.var.deps;
    const config = await findConfig(c, c.req.valid("param").id, consistency, isOf(resource));
    const input = omitUndefined({ config_id: config.id, ...page });
    const options = { consistency, traceparent: c.var.traceparent };
    const { items, next_cursor } = await core.listVersions(input, options);
    const plans = await readPlansSince(c, config.id, oldestOf(items), consistency);
    const views: Record<string, unknown>[] = [];
    for (const version of items) {
      const whole = await readGrayWhole(c, config, version, consistency);
      views.push(viewGray(resource, { config, ...whole, plans }, regions));
    }
    return c.json({ items: views, next_cursor }, 200);
  });
}
