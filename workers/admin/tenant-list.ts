import type { OpenAPIHono } from "@hono/zod-openapi";
import { findSessionUser } from "../../adapters/postgres/find-session-user.ts";
import { listTenants } from "../../adapters/postgres/tenant-rows.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { pageOf } from "../../contracts/access/access-fields.ts";
import { limitQuery } from "../../contracts/access/auth-api.ts";
import { tenantView } from "../../contracts/access/tenants-api.ts";
import { listCursor } from "../../contracts/list-cursor.ts";
import { isConfigName } from "../../domain/config/config-name.ts";
import { z } from "zod";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireSession } from "./require-permission.ts";
import { TENANTS_PATH, TENANTS_RESOURCE, viewTenant } from "./tenant-views.ts";

const route = declareRoute(
  { authenticated: "own" },
  {
    method: "get",
    path: TENANTS_PATH,
    tags: ["access"],
    summary: "The tenants in which the caller holds a role; all of them for operators",
    request: { query: z.object({ limit: limitQuery, cursor: listCursor(isConfigName) }) },
    responses: { 200: { description: "A page, by name", content: json(pageOf(tenantView)) } },
  },
);

/** `GET /tenants`. */
export function registerTenantList(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    await requireSession(c);
    const { cursor = null, limit } = c.req.valid("query");
    const { principal } = c.var;
    const seesAll = await principal.allows("list", TENANTS_RESOURCE);
    const database = deps.database(c);
    const own = seesAll ? null : ((await findSessionUser(database, principal.actor.id))?.tenants ?? []);
    if (own?.length === 0) return c.json({ items: [], next_cursor: null }, 200);
    // Only `_system` sees the lines of several tenants; what is asked for there is the caller's own, or an operator's.
    const page = await withTenant(database, SYSTEM_TENANT, (tx) =>
      listTenants(tx, { of: own, cursor, limit }),
    );
    return c.json({ items: page.items.map(viewTenant), next_cursor: page.nextCursor }, 200);
  });
}
