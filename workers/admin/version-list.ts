import type { OpenAPIHono } from "@hono/zod-openapi";
import { listOf, listVersionsQuery, versionSummary } from "../../contracts/config/config-schemas.ts";
import { idParams } from "../../contracts/config/fields.ts";
import { viewVersion } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import { omitUndefined } from "./omit-undefined.ts";
import type { AdminEnv } from "./principal.ts";
import { versionStatuses } from "./version-statuses.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/configs/{id}/versions",
    tags: ["versions"],
    summary: "List a config's versions, newest first",
    description: "Those that its retention has removed are left out; their numbers are not given anew.",
    request: { params: idParams, query: listVersionsQuery },
    responses: { 200: { description: "A page", content: json(listOf(versionSummary)) } },
  },
);

export function registerVersionList(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { consistency, ...page } = c.req.valid("query");
    const config = await findConfig(c, c.req.valid("param").id, consistency);
    const input = omitUndefined({ config_id: config.id, ...page });
    const { core } = c.var.deps;
    const { items, next_cursor } = await core.listVersions(input, {
      consistency,
      traceparent: c.var.traceparent,
    });
    const statusOf = await versionStatuses(c, config, items);
    return c.json(
      { items: items.map((item) => ({ ...viewVersion(item), status: statusOf(item) })), next_cursor },
      200,
    );
  });
}
