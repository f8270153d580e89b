import type { OpenAPIHono } from "@hono/zod-openapi";
import { deleteTenant, findTenant, hasLiveClientTokens } from "../../adapters/postgres/tenant-rows.ts";
import { setTenant } from "../../adapters/postgres/with-tenant.ts";
import { tenantPath, tenantRemoved } from "../../contracts/access/tenants-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { noSuch } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";
import { TENANTS_PATH, TENANTS_RESOURCE, tenantResource } from "./tenant-views.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

const route = declareRoute(
  { action: "delete", resource: TENANTS_RESOURCE },
  {
    method: "delete",
    path: `${TENANTS_PATH}/{tenant}`,
    tags: ["access"],
    summary: "Delete a tenant that has no configs and no live client tokens left",
    description:
      "409 conflict otherwise. Its users, its audit, its publish history and its name in old log entries stay, so no tenant can be made under the name again.",
    request: { params: tenantPath, headers: updateHeaders },
    responses: { 200: { description: "Deleted", content: json(tenantRemoved) } },
  },
);

/** `DELETE /tenants/{tenant}`. */
export function registerTenantDelete(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { tenant } = c.req.valid("param");
    await requireDeclared(c);
    const { items } = await c.var.deps.core.listConfigs(
      { tenant, limit: 1 },
      { consistency: "linearizable", traceparent: c.var.traceparent },
    );
    if (items.length > 0) throw new ConfluxError("conflict", `The tenant ${tenant} still has configs.`);
    const resource = tenantResource(tenant);
    const write = { tenant: SYSTEM_TENANT, action: "delete", resource } as const;
    const result = await writeAccess(c, deps, write, async (tx) => {
      await setTenant(tx, tenant);
      const row = await findTenant(tx, tenant);
      if (row === null) throw noSuch("tenant", tenant);
      requireRevision(c, row);
      if (await hasLiveClientTokens(tx, deps.nowMs())) {
        throw new ConfluxError("conflict", `Clients hold tokens of ${tenant}: revoke them first.`);
      }
      await deleteTenant(tx, tenant);
      return { result: { name: tenant }, summary: `deleted tenant ${tenant}` };
    });
    return c.json(result, 200);
  });
}
