import type { OpenAPIHono } from "@hono/zod-openapi";
import { configReleased } from "../../contracts/config/config-schemas.ts";
import { idParams, changeHeaders } from "../../contracts/config/fields.ts";
import { rollbackRequest } from "../../contracts/config/release-schemas.ts";
import { abortPlanQuery } from "../../contracts/publish/publish-schemas.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { viewConfig } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import type { AdminEnv } from "./principal.ts";
import { refuseDraftOfTyped } from "./refuse-typed.ts";
import { warnOfReleases } from "./warn-of-releases.ts";

const route = declareRoute(
  { action: "publish", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "post",
    path: "/api/v1/mgt/configs/{id}/rollback",
    tags: ["releases"],
    summary: "Point the default rule at an old version",
    description:
      "Makes a default rule when there is none; of several, the one of the lowest priority is moved, and warnings say that another comes first. Other rules stay as they are. 409 publish_running while a publish plan runs, unless abort_plan=true ends it.",
    request: {
      params: idParams,
      headers: changeHeaders,
      query: abortPlanQuery,
      body: { required: true, content: json(rollbackRequest) },
    },
    responses: { 200: { description: "The config with its rules", content: json(configReleased) } },
  },
);

/** C6: one command. */
export function registerConfigRollback(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { version_id } = c.req.valid("json");
    const { config, live, revision } = await findConfigForWrite(c, c.req.valid("param").id);
    if (live !== null) await refuseDraftOfTyped(c, live, version_id);
    const command = {
      ...(await commandHead(c, config.namespace.tenant, revision)),
      ...(await breakGlass(c, config)),
      kind: "rollback" as const,
      payload: { config_id: config.id, version_id, abort_plan: c.req.valid("query").abort_plan === "true" },
    };
    const { core, regions } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    const view = viewConfig(answer.result.config);
    const warnings = warnOfReleases(view.releases, regions);
    c.header("etag", view.etag);
    return c.json({ ...view, index: await writtenIndex(c, answer), warnings }, 200);
  });
}
