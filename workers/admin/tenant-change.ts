import type { OpenAPIHono } from "@hono/zod-openapi";
import { changeTenant, findTenant, type TenantRow } from "../../adapters/postgres/tenant-rows.ts";
import { setTenant } from "../../adapters/postgres/with-tenant.ts";
import { changeTenantRequest, tenantPath, tenantView } from "../../contracts/access/tenants-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { noSuch } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";
import { quotasOf, TENANTS_PATH, TENANTS_RESOURCE, tenantResource, viewTenant } from "./tenant-views.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

const route = declareRoute(
  { action: "write", resource: TENANTS_RESOURCE },
  {
    method: "patch",
    path: `${TENANTS_PATH}/{tenant}`,
    tags: ["access"],
    summary: "Set quotas of a tenant; what is left out stays",
    request: {
      params: tenantPath,
      headers: updateHeaders,
      body: { required: true, content: json(changeTenantRequest) },
    },
    responses: { 200: { description: "As it is now", content: json(tenantView) } },
  },
);

/** `PATCH /tenants/{tenant}`. */
export function registerTenantChange(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { tenant } = c.req.valid("param");
    await requireDeclared(c);
    const resource = tenantResource(tenant);
    const write = { tenant: SYSTEM_TENANT, action: "write", resource } as const;
    const view = await writeAccess(c, deps, write, async (tx) => {
      await setTenant(tx, tenant);
      const before = await findTenant(tx, tenant);
      if (before === null) throw noSuch("tenant", tenant);
      requireRevision(c, before);
      const row = await changeTenant(tx, tenant, quotasOf(c.req.valid("json")));
      return { result: viewTenant(row), summary: `changed tenant ${tenant}: ${difference(before, row)}` };
    });
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}

function difference(before: TenantRow, after: TenantRow): string {
  const names = ["maxConfigs", "maxConfigSizeBytes", "maxApiRequestsPerMinute"] as const;
  const changed = names.filter((name) => before[name] !== after[name]);
  return changed.map((name) => `${name} ${before[name]} -> ${after[name]}`).join(", ") || "nothing";
}
