import type { OpenAPIHono } from "@hono/zod-openapi";
import { changeNamed, findNamed } from "../../adapters/postgres/named-rows.ts";
import { idPath } from "../../contracts/access/access-fields.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { type AccessKind, namedResource, noSuch, requireTenantOfId, viewNamed } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

/** `PATCH /roles/{id}` and `PATCH /user-groups/{id}`. */
export function registerNamedChange(app: OpenAPIHono<AdminEnv>, deps: AuthDeps, kind: AccessKind): void {
  const route = declareRoute(
    { action: "write", resource: "{tenant}" },
    {
      method: "patch",
      path: `${kind.path}/{id}`,
      tags: ["access"],
      summary: `Rename or describe a ${kind.word}`,
      request: {
        params: idPath,
        headers: updateHeaders,
        body: { required: true, content: json(kind.changeRequest) },
      },
      responses: { 200: { description: "As it is now", content: json(kind.view) } },
    },
  );
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const tenant = await requireTenantOfId(c, kind.word, id);
    const resource = namedResource(kind, tenant, id);
    const view = await writeAccess(c, deps, { tenant, action: "write", resource }, async (tx) => {
      const before = await findNamed(tx, kind.table, id);
      if (before === null) throw noSuch(kind.word, id);
      requireRevision(c, before);
      const row = await changeNamed(tx, kind.table, { id, ...c.req.valid("json") });
      if (row === null) throw noSuch(kind.word, id);
      const renamed = row.name === before.name ? "" : `, which was ${before.name}`;
      return { result: viewNamed(row), summary: `changed ${kind.word} ${row.name} (${id})${renamed}` };
    });
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}
