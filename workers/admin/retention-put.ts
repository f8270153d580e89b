import type { OpenAPIHono } from "@hono/zod-openapi";
import { configWritten, retentionSchema } from "../../contracts/config/config-schemas.ts";
import { idParams, updateHeaders } from "../../contracts/config/fields.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { viewConfig } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "put",
    path: "/api/v1/mgt/configs/{id}/retention",
    tags: ["configs"],
    summary: "Set which old versions of a config are kept",
    description:
      "An empty object keeps all of them. The core archives and removes what is past every limit that is set, some time later: never the latest version, nor one that a release rule, a running publish plan or an open change request names.",
    request: {
      params: idParams,
      headers: updateHeaders,
      body: { required: true, content: json(retentionSchema) },
    },
    responses: { 200: { description: "The config", content: json(configWritten) } },
  },
);

/** C10. */
export function registerRetentionPut(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const wanted = c.req.valid("json");
    const { config, revision } = await findConfigForWrite(c, c.req.valid("param").id);
    const retention = wanted.count === undefined && wanted.days === undefined ? null : wanted;
    const command = {
      ...(await commandHead(c, config.namespace.tenant, revision)),
      kind: "set_retention" as const,
      payload: { config_id: config.id, retention },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    const view = viewConfig(answer.result.config);
    c.header("etag", view.etag);
    return c.json({ ...view, index: await writtenIndex(c, answer) }, 200);
  });
}
