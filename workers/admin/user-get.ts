import type { OpenAPIHono } from "@hono/zod-openapi";
import { findUser } from "../../adapters/postgres/user-rows.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { idPath } from "../../contracts/access/access-fields.ts";
import { userTenantQuery, userView } from "../../contracts/access/users-api.ts";
import { noSuch } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { resolveTenant } from "./auth-tenant.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";
import { USERS_PATH, viewUser } from "./user-views.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}" },
  {
    method: "get",
    path: `${USERS_PATH}/{id}`,
    tags: ["access"],
    summary: "Get a user, with the roles and groups held in the tenant",
    request: { params: idPath, query: userTenantQuery },
    responses: { 200: { description: "ETag names its revision", content: json(userView) } },
  },
);

/** `GET /users/{id}`. */
export function registerUserGet(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const tenant = await resolveTenant(c, deps, c.req.valid("query").tenant);
    await requireDeclared(c, { tenant });
    const view = await withTenant(deps.database(c), tenant, async (tx) => {
      const row = await findUser(tx, id);
      if (row === null) throw noSuch("user", id);
      return viewUser(tx, row);
    });
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}
