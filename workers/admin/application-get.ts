import type { OpenAPIHono } from "@hono/zod-openapi";
import { findApplication } from "../../adapters/postgres/application-rows.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { idPath } from "../../contracts/access/access-fields.ts";
import { applicationView } from "../../contracts/access/applications-api.ts";
import {
  APPLICATIONS_PATH,
  noApplication,
  requireApplicationOfId,
  viewApplication,
} from "./application-views.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}" },
  {
    method: "get",
    path: `${APPLICATIONS_PATH}/{id}`,
    tags: ["access"],
    summary: "Get an application",
    request: { params: idPath },
    responses: { 200: { description: "ETag names its revision", content: json(applicationView) } },
  },
);

/** `GET /applications/{id}`. */
export function registerApplicationGet(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const { tenant, app: name } = await requireApplicationOfId(c, id);
    const row = await withTenant(deps.database(c), tenant, (tx) => findApplication(tx, name));
    if (row === null) throw noApplication(id);
    const view = viewApplication(row);
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}
