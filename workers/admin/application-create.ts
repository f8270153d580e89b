import type { OpenAPIHono } from "@hono/zod-openapi";
import { insertApplication } from "../../adapters/postgres/application-rows.ts";
import { refuseOver } from "../../adapters/postgres/guard-access.ts";
import { applicationView, createApplicationRequest } from "../../contracts/access/applications-api.ts";
import { createHeaders } from "../../contracts/config/fields.ts";
import { APPLICATIONS_MAX } from "../../contracts/limits.ts";
import { APPLICATIONS_PATH, viewApplication } from "./application-views.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";
import { writeAccess } from "./write-access.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}" },
  {
    method: "post",
    path: APPLICATIONS_PATH,
    tags: ["access"],
    summary: "Make an application of a tenant",
    description: "A config does not need it: it holds what an application's configs share, like their key.",
    request: { headers: createHeaders, body: { required: true, content: json(createApplicationRequest) } },
    responses: { 201: { description: "Made", content: json(applicationView) } },
  },
);

/** `POST /applications`. */
export function registerApplicationCreate(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { tenant, name, kms_key_id: kmsKeyId } = c.req.valid("json");
    await requireDeclared(c, { tenant, app: name });
    const resource = `${tenant}/${name}`;
    const view = await writeAccess(c, deps, { tenant, action: "write", resource }, async (tx) => {
      await refuseOver(tx, "applications", APPLICATIONS_MAX);
      const row = await insertApplication(tx, { tenant, name, kmsKeyId });
      return { result: viewApplication(row), summary: `made application ${name}, key ${kmsKeyId ?? "none"}` };
    });
    c.header("etag", view.etag);
    c.header("location", `${APPLICATIONS_PATH}/${view.id}`);
    return c.json(view, 201);
  });
}
