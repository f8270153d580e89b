import type { OpenAPIHono } from "@hono/zod-openapi";
import { findNamed } from "../../adapters/postgres/named-rows.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { idPath } from "../../contracts/access/access-fields.ts";
import { type AccessKind, noSuch, requireTenantOfId, viewNamed } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

/** `GET /roles/{id}` and `GET /user-groups/{id}`. */
export function registerNamedGet(app: OpenAPIHono<AdminEnv>, deps: AuthDeps, kind: AccessKind): void {
  const route = declareRoute(
    { action: "read", resource: "{tenant}" },
    {
      method: "get",
      path: `${kind.path}/{id}`,
      tags: ["access"],
      summary: `Get a ${kind.word}`,
      request: { params: idPath },
      responses: { 200: { description: "ETag names its revision", content: json(kind.view) } },
    },
  );
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const tenant = await requireTenantOfId(c, kind.word, id);
    const row = await withTenant(deps.database(c), tenant, (tx) => findNamed(tx, kind.table, id));
    if (row === null) throw noSuch(kind.word, id);
    const view = viewNamed(row);
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}
