import type { OpenAPIHono } from "@hono/zod-openapi";
import { removeLink } from "../../adapters/postgres/access-links.ts";
import { changeNamed, findNamed } from "../../adapters/postgres/named-rows.ts";
import { idPath, idText } from "../../contracts/access/access-fields.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { namedResource, noSuch, requireTenantOfId, viewNamed } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { LinkKind } from "./link-kind.ts";
import type { AdminEnv } from "./principal.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

/**
 * `DELETE /roles/{id}/users/{target_id}`, `DELETE /user-groups/{id}/members/{target_id}` and
 * `DELETE /user-groups/{id}/roles/{target_id}`.
 */
export function registerLinkRemove(app: OpenAPIHono<AdminEnv>, deps: AuthDeps, kind: LinkKind): void {
  const route = declareRoute(
    { action: "write", resource: "{tenant}" },
    {
      method: "delete",
      path: `${kind.of.path}/{id}/${kind.segment}/{target_id}`,
      tags: ["access"],
      summary: `Take a ${kind.word} out of a ${kind.of.word}`,
      description: "409 conflict when nobody could administer the tenant afterwards.",
      request: { params: idPath.extend({ target_id: idText }), headers: updateHeaders },
      responses: {
        200: { description: "The role or group as it is now", content: json(kind.of.view) },
      },
    },
  );
  app.openapi(route, async (c) => {
    const { id, target_id: to } = c.req.valid("param");
    const tenant = await requireTenantOfId(c, kind.of.word, id);
    const resource = namedResource(kind.of, tenant, id);
    const view = await writeAccess(c, deps, { tenant, action: "delete", resource }, async (tx) => {
      const before = await findNamed(tx, kind.of.table, id);
      if (before === null) throw noSuch(kind.of.word, id);
      requireRevision(c, before);
      if (!(await removeLink(tx, kind.link, { id, to }))) throw noSuch(kind.word, to);
      const row = await changeNamed(tx, kind.of.table, { id });
      if (row === null) throw noSuch(kind.of.word, id);
      const summary = `took ${kind.word} ${to} out of ${kind.of.word} ${row.name} (${id})`;
      return { result: viewNamed(row), summary };
    });
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}
