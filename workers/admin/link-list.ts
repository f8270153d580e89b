import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { listLinked } from "../../adapters/postgres/access-links.ts";
import { findNamed } from "../../adapters/postgres/named-rows.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { idPath, pageOf } from "../../contracts/access/access-fields.ts";
import { limitQuery } from "../../contracts/access/auth-api.ts";
import { listCursor } from "../../contracts/list-cursor.ts";
import { noSuch, requireTenantOfId } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { LinkKind } from "./link-kind.ts";
import type { AdminEnv } from "./principal.ts";

const linkedView = z.object({ id: z.string(), name: z.string() }).meta({ id: "Linked" });

/** `GET /roles/{id}/users`, `GET /user-groups/{id}/members` and `GET /user-groups/{id}/roles`. */
export function registerLinkList(app: OpenAPIHono<AdminEnv>, deps: AuthDeps, kind: LinkKind): void {
  const route = declareRoute(
    { action: "list", resource: "{tenant}" },
    {
      method: "get",
      path: `${kind.of.path}/{id}/${kind.segment}`,
      tags: ["access"],
      summary: `The ${kind.word}s of a ${kind.of.word}`,
      request: {
        params: idPath,
        query: z.object({ limit: limitQuery, cursor: listCursor(kind.isPlace) }),
      },
      responses: { 200: { description: "A page, by id", content: json(pageOf(linkedView)) } },
    },
  );
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const { cursor = null, limit } = c.req.valid("query");
    const tenant = await requireTenantOfId(c, kind.of.word, id);
    const page = await withTenant(deps.database(c), tenant, async (tx) => {
      if ((await findNamed(tx, kind.of.table, id)) === null) throw noSuch(kind.of.word, id);
      return listLinked(tx, kind.link, { id, cursor, limit });
    });
    return c.json({ items: page.items, next_cursor: page.nextCursor }, 200);
  });
}
