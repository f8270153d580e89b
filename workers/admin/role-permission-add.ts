import type { OpenAPIHono } from "@hono/zod-openapi";
import { grantPermissions } from "../../adapters/postgres/grant-role.ts";
import { changeNamed, findNamed } from "../../adapters/postgres/named-rows.ts";
import { idPath } from "../../contracts/access/access-fields.ts";
import { permissionBody } from "../../contracts/access/roles-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { namedResource, noSuch, requireTenantOfId, ROLE, viewNamed } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireHeld } from "./require-held.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}", also: "to hold whatever is handed on" },
  {
    method: "post",
    path: `${ROLE.path}/{id}/permissions`,
    tags: ["access"],
    summary: "Let a role allow an action on what a pattern matches",
    description:
      "Repeating it changes nothing. 403 when the caller does not hold the permission for all that the pattern matches in the tenant.",
    request: {
      params: idPath,
      headers: updateHeaders,
      body: { required: true, content: json(permissionBody) },
    },
    responses: { 201: { description: "Granted; the role as it is now", content: json(ROLE.view) } },
  },
);

/** `POST /roles/{id}/permissions`. */
export function registerRolePermissionAdd(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const permission = c.req.valid("json");
    const tenant = await requireTenantOfId(c, ROLE.word, id);
    const resource = namedResource(ROLE, tenant, id);
    const view = await writeAccess(c, deps, { tenant, action: "write", resource }, async (tx) => {
      const before = await findNamed(tx, "roles", id);
      if (before === null) throw noSuch(ROLE.word, id);
      requireRevision(c, before);
      await requireHeld(c, tx, tenant, [permission]);
      await grantPermissions(tx, { tenant, roleId: id, permissions: [permission] });
      const row = await changeNamed(tx, "roles", { id });
      if (row === null) throw noSuch(ROLE.word, id);
      const { action, resource_pattern } = permission;
      return {
        result: viewNamed(row),
        summary: `role ${row.name} (${id}) now allows ${action} on ${resource_pattern}`,
      };
    });
    c.header("etag", view.etag);
    return c.json(view, 201);
  });
}
