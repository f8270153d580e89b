import type { OpenAPIHono } from "@hono/zod-openapi";
import { changeApplication, findApplication } from "../../adapters/postgres/application-rows.ts";
import { idPath } from "../../contracts/access/access-fields.ts";
import { applicationView, changeApplicationRequest } from "../../contracts/access/applications-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import {
  APPLICATIONS_PATH,
  noApplication,
  requireApplicationOfId,
  viewApplication,
} from "./application-views.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}" },
  {
    method: "patch",
    path: `${APPLICATIONS_PATH}/{id}`,
    tags: ["access"],
    summary: "Give an application another key; what it encrypted before keeps the old one",
    request: {
      params: idPath,
      headers: updateHeaders,
      body: { required: true, content: json(changeApplicationRequest) },
    },
    responses: { 200: { description: "As it is now", content: json(applicationView) } },
  },
);

/** `PATCH /applications/{id}`. */
export function registerApplicationChange(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const { tenant, app: name } = await requireApplicationOfId(c, id);
    const resource = `${tenant}/${name}`;
    const view = await writeAccess(c, deps, { tenant, action: "write", resource }, async (tx) => {
      const before = await findApplication(tx, name);
      if (before === null) throw noApplication(id);
      requireRevision(c, before);
      const row = await changeApplication(tx, { name, kmsKeyId: c.req.valid("json").kms_key_id });
      if (row === null) throw noApplication(id);
      const summary = `changed application ${name}: key ${before.kmsKeyId ?? "none"} -> ${row.kmsKeyId ?? "none"}`;
      return { result: viewApplication(row), summary };
    });
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}
