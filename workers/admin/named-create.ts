import type { OpenAPIHono } from "@hono/zod-openapi";
import { ulid } from "ulid";
import { refuseOver } from "../../adapters/postgres/guard-access.ts";
import { insertNamed } from "../../adapters/postgres/named-rows.ts";
import { createHeaders } from "../../contracts/config/fields.ts";
import { tenantScopedId } from "../../domain/access/tenant-scoped-id.ts";
import { type AccessKind, namedResource, viewNamed } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";
import { writeAccess } from "./write-access.ts";

/** `POST /roles` and `POST /user-groups`: they grant nothing yet. */
export function registerNamedCreate(app: OpenAPIHono<AdminEnv>, deps: AuthDeps, kind: AccessKind): void {
  const route = declareRoute(
    { action: "write", resource: "{tenant}" },
    {
      method: "post",
      path: kind.path,
      tags: ["access"],
      summary: `Make a ${kind.word}, which grants nothing yet`,
      request: { headers: createHeaders, body: { required: true, content: json(kind.createRequest) } },
      responses: { 201: { description: "Made", content: json(kind.view) } },
    },
  );
  app.openapi(route, async (c) => {
    const { tenant, name, description } = c.req.valid("json");
    await requireDeclared(c, { tenant });
    const id = tenantScopedId(tenant, ulid(deps.nowMs()));
    const resource = namedResource(kind, tenant, id);
    const view = await writeAccess(c, deps, { tenant, action: "write", resource }, async (tx) => {
      await refuseOver(tx, kind.table, kind.max);
      const row = await insertNamed(tx, kind.table, { tenant, id, name, description });
      return { result: viewNamed(row), summary: `made ${kind.word} ${name} (${id})` };
    });
    c.header("etag", view.etag);
    c.header("location", `${kind.path}/${view.id}`);
    return c.json(view, 201);
  });
}
