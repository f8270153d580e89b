import type { OpenAPIHono } from "@hono/zod-openapi";
import { listApplications } from "../../adapters/postgres/application-rows.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { pageOf } from "../../contracts/access/access-fields.ts";
import { applicationView } from "../../contracts/access/applications-api.ts";
import { applicationListQuery } from "../../contracts/access/users-api.ts";
import { APPLICATIONS_PATH, viewApplication } from "./application-views.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { resolveTenant } from "./auth-tenant.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

const route = declareRoute(
  { action: "list", resource: "{tenant}/*" },
  {
    method: "get",
    path: APPLICATIONS_PATH,
    tags: ["access"],
    summary: "The applications of a tenant",
    request: { query: applicationListQuery },
    responses: { 200: { description: "A page, by name", content: json(pageOf(applicationView)) } },
  },
);

/** `GET /applications`. */
export function registerApplicationList(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { tenant: named, cursor = null, limit } = c.req.valid("query");
    const tenant = await resolveTenant(c, deps, named);
    await requireDeclared(c, { tenant });
    const page = await withTenant(deps.database(c), tenant, (tx) => listApplications(tx, { cursor, limit }));
    return c.json({ items: page.items.map(viewApplication), next_cursor: page.nextCursor }, 200);
  });
}
