import type { OpenAPIHono } from "@hono/zod-openapi";
import { findTenant } from "../../adapters/postgres/tenant-rows.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { tenantPath, tenantView } from "../../contracts/access/tenants-api.ts";
import { noSuch } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";
import { TENANTS_PATH, TENANTS_RESOURCE, viewTenant } from "./tenant-views.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}", or: TENANTS_RESOURCE },
  {
    method: "get",
    path: `${TENANTS_PATH}/{tenant}`,
    tags: ["access"],
    summary: "Get a tenant and its quotas",
    request: { params: tenantPath },
    responses: { 200: { description: "ETag names its revision", content: json(tenantView) } },
  },
);

/** `GET /tenants/{tenant}`. */
export function registerTenantGet(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { tenant } = c.req.valid("param");
    await requireDeclared(c, { tenant });
    const row = await withTenant(deps.database(c), tenant, (tx) => findTenant(tx, tenant));
    if (row === null) throw noSuch("tenant", tenant);
    const view = viewTenant(row);
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}
