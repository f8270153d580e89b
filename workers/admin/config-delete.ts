import type { OpenAPIHono } from "@hono/zod-openapi";
import { configDeleted } from "../../contracts/config/config-schemas.ts";
import { idParams, changeHeaders } from "../../contracts/config/fields.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "delete", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "delete",
    path: "/api/v1/mgt/configs/{id}",
    tags: ["configs"],
    summary: "Delete a config with all its versions and rules",
    description:
      "Clients stop getting it at once, and its publish plans go with it. A repetition answers 404, or the first result when it bears the same idempotency key.",
    request: { params: idParams, headers: changeHeaders },
    responses: { 200: { description: "Deleted", content: json(configDeleted) } },
  },
);

export function registerConfigDelete(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { config, revision } = await findConfigForWrite(c, c.req.valid("param").id);
    const command = {
      ...(await commandHead(c, config.namespace.tenant, revision)),
      ...(await breakGlass(c, config)),
      kind: "delete_config" as const,
      payload: { config_id: config.id },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    return c.json({ id: answer.result.config_id, index: await writtenIndex(c, answer) }, 200);
  });
}
