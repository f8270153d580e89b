import type { OpenAPIHono } from "@hono/zod-openapi";
import { deleteNamed, findNamed } from "../../adapters/postgres/named-rows.ts";
import { idPath, removed } from "../../contracts/access/access-fields.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { type AccessKind, namedResource, noSuch, requireTenantOfId } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

/** `DELETE /roles/{id}` and `DELETE /user-groups/{id}`: whoever held it loses what it granted. */
export function registerNamedDelete(app: OpenAPIHono<AdminEnv>, deps: AuthDeps, kind: AccessKind): void {
  const route = declareRoute(
    { action: "delete", resource: "{tenant}" },
    {
      method: "delete",
      path: `${kind.path}/{id}`,
      tags: ["access"],
      summary: `Delete a ${kind.word}, and with it what it grants`,
      description: "409 conflict when nobody could administer the tenant afterwards.",
      request: { params: idPath, headers: updateHeaders },
      responses: { 200: { description: "Deleted", content: json(removed) } },
    },
  );
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const tenant = await requireTenantOfId(c, kind.word, id);
    const resource = namedResource(kind, tenant, id);
    const result = await writeAccess(c, deps, { tenant, action: "delete", resource }, async (tx) => {
      const row = await findNamed(tx, kind.table, id);
      if (row === null) throw noSuch(kind.word, id);
      requireRevision(c, row);
      await deleteNamed(tx, kind.table, id);
      return { result: { id }, summary: `deleted ${kind.word} ${row.name} (${id})` };
    });
    return c.json(result, 200);
  });
}
