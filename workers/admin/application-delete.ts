import type { OpenAPIHono } from "@hono/zod-openapi";
import { deleteApplication, findApplication } from "../../adapters/postgres/application-rows.ts";
import { idPath, removed } from "../../contracts/access/access-fields.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { APPLICATIONS_PATH, noApplication, requireApplicationOfId } from "./application-views.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

const route = declareRoute(
  { action: "delete", resource: "{tenant}/{app}" },
  {
    method: "delete",
    path: `${APPLICATIONS_PATH}/{id}`,
    tags: ["access"],
    summary: "Delete an application that has no configs left; 409 conflict otherwise",
    request: { params: idPath, headers: updateHeaders },
    responses: { 200: { description: "Deleted", content: json(removed) } },
  },
);

/** `DELETE /applications/{id}`. */
export function registerApplicationDelete(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const { tenant, app: name } = await requireApplicationOfId(c, id);
    const { items } = await c.var.deps.core.listConfigs(
      { tenant, app: name, limit: 1 },
      { consistency: "linearizable", traceparent: c.var.traceparent },
    );
    if (items.length > 0) throw new ConfluxError("conflict", `The application ${name} still has configs.`);
    const resource = `${tenant}/${name}`;
    const result = await writeAccess(c, deps, { tenant, action: "delete", resource }, async (tx) => {
      const row = await findApplication(tx, name);
      if (row === null) throw noApplication(id);
      requireRevision(c, row);
      await deleteApplication(tx, name);
      return { result: { id }, summary: `deleted application ${name}` };
    });
    return c.json(result, 200);
  });
}
