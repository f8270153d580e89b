import type { OpenAPIHono } from "@hono/zod-openapi";
import { listUsers } from "../../adapters/postgres/user-rows.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { pageOf } from "../../contracts/access/access-fields.ts";
import { userListQuery, userSummary } from "../../contracts/access/users-api.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { resolveTenant } from "./auth-tenant.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";
import { USERS_PATH, viewUserSummary } from "./user-views.ts";

const route = declareRoute(
  { action: "list", resource: "{tenant}" },
  {
    method: "get",
    path: USERS_PATH,
    tags: ["access"],
    summary: "Who holds a role, or is in a group, of a tenant; everyone in _system, for operators",
    request: { query: userListQuery },
    responses: { 200: { description: "A page, oldest first", content: json(pageOf(userSummary)) } },
  },
);

/** `GET /users`. */
export function registerUserList(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { tenant: named, cursor = null, limit } = c.req.valid("query");
    const tenant = await resolveTenant(c, deps, named);
    await requireDeclared(c, { tenant });
    const page = await withTenant(deps.database(c), tenant, (tx) => listUsers(tx, { cursor, limit }));
    return c.json({ items: page.items.map(viewUserSummary), next_cursor: page.nextCursor }, 200);
  });
}
