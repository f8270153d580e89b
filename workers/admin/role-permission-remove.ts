import type { OpenAPIHono } from "@hono/zod-openapi";
import { changeNamed, findNamed } from "../../adapters/postgres/named-rows.ts";
import { deletePermission } from "../../adapters/postgres/role-permissions.ts";
import { idPath } from "../../contracts/access/access-fields.ts";
import { permissionQuery } from "../../contracts/access/roles-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { namedResource, noSuch, requireTenantOfId, ROLE, viewNamed } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}" },
  {
    method: "delete",
    path: `${ROLE.path}/{id}/permissions`,
    tags: ["access"],
    summary: "Take a permission out of a role: ?action=...&resource_pattern=...",
    description: "409 conflict when nobody could administer the tenant afterwards.",
    request: { params: idPath, query: permissionQuery, headers: updateHeaders },
    responses: { 200: { description: "The role as it is now", content: json(ROLE.view) } },
  },
);

/** `DELETE /roles/{id}/permissions?action&resource_pattern`. */
export function registerRolePermissionRemove(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const { action, resource_pattern } = c.req.valid("query");
    const tenant = await requireTenantOfId(c, ROLE.word, id);
    const resource = namedResource(ROLE, tenant, id);
    const view = await writeAccess(c, deps, { tenant, action: "delete", resource }, async (tx) => {
      const before = await findNamed(tx, "roles", id);
      if (before === null) throw noSuch(ROLE.word, id);
      requireRevision(c, before);
      const found = await deletePermission(tx, { roleId: id, action, resource_pattern });
      if (!found) throw noSuch("permission", `${action} on ${resource_pattern}`);
      const row = await changeNamed(tx, "roles", { id });
      if (row === null) throw noSuch(ROLE.word, id);
      return {
        result: viewNamed(row),
        summary: `role ${row.name} (${id}) no longer allows ${action} on ${resource_pattern}`,
      };
    });
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}
