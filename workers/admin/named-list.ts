import type { OpenAPIHono } from "@hono/zod-openapi";
import { listNamed } from "../../adapters/postgres/named-rows.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { pageOf } from "../../contracts/access/access-fields.ts";
import { accessListQuery } from "../../contracts/access/users-api.ts";
import { type AccessKind, viewNamed } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { resolveTenant } from "./auth-tenant.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

/** `GET /roles` and `GET /user-groups`. */
export function registerNamedList(app: OpenAPIHono<AdminEnv>, deps: AuthDeps, kind: AccessKind): void {
  const route = declareRoute(
    { action: "list", resource: "{tenant}" },
    {
      method: "get",
      path: kind.path,
      tags: ["access"],
      summary: `The ${kind.word}s of a tenant`,
      request: { query: accessListQuery },
      responses: { 200: { description: "A page, oldest first", content: json(pageOf(kind.view)) } },
    },
  );
  app.openapi(route, async (c) => {
    const { tenant: named, cursor = null, limit } = c.req.valid("query");
    const tenant = await resolveTenant(c, deps, named);
    await requireDeclared(c, { tenant });
    const page = await withTenant(deps.database(c), tenant, (tx) =>
      listNamed(tx, kind.table, { cursor, limit }),
    );
    return c.json({ items: page.items.map(viewNamed), next_cursor: page.nextCursor }, 200);
  });
}
