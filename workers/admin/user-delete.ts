import type { OpenAPIHono } from "@hono/zod-openapi";
import { endAllSessionsFrom } from "../../adapters/postgres/end-sessions.ts";
import { changeUser, findUser, leaveTenant } from "../../adapters/postgres/user-rows.ts";
import { idPath, removed } from "../../contracts/access/access-fields.ts";
import { tenantQuery } from "../../contracts/access/auth-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { z } from "zod";
import { noSuch } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { resolveTenant } from "./auth-tenant.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";
import { userResource, USERS_PATH } from "./user-views.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

const route = declareRoute(
  { action: "delete", resource: "{tenant}" },
  {
    method: "delete",
    path: `${USERS_PATH}/{id}`,
    tags: ["access"],
    summary: "Take every role and group of a tenant from a user",
    description:
      "A user whom no other tenant has to do with, and who is no operator, can no longer sign in either; the account stays, for the audit names it. 409 conflict when nobody could administer the tenant afterwards.",
    request: { params: idPath, query: z.object({ tenant: tenantQuery }), headers: updateHeaders },
    responses: { 200: { description: "The tenant no longer sees the user", content: json(removed) } },
  },
);

/** `DELETE /users/{id}`. */
export function registerUserDelete(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const tenant = await resolveTenant(c, deps, c.req.valid("query").tenant);
    await requireDeclared(c, { tenant });
    const resource = userResource(tenant, id);
    const result = await writeAccess(c, deps, { tenant, action: "delete", resource }, async (tx) => {
      const row = await findUser(tx, id);
      if (row === null) throw noSuch("user", id);
      requireRevision(c, row);
      // Row-level security lets it through for a user of this tenant alone.
      const own = await changeUser(tx, { id, isActive: false });
      if (own !== null) await endAllSessionsFrom(tx, tenant, { userId: id, nowMs: deps.nowMs() });
      await leaveTenant(tx, id);
      const rest = own === null ? "" : ", who can no longer sign in";
      return { result: { id }, summary: `took user ${row.username} (${id}) out of the tenant${rest}` };
    });
    return c.json(result, 200);
  });
}
