import type { OpenAPIHono } from "@hono/zod-openapi";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { pauseRequest, publishParams, publishWritten } from "../../contracts/publish/publish-schemas.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findPublishForMove } from "./find-publish.ts";
import { optionalBody } from "./optional-body.ts";
import type { AdminEnv } from "./principal.ts";
import { viewPublish } from "./publish-views.ts";

const route = declareRoute(
  { action: "publish", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "post",
    path: "/api/v1/mgt/publishes/{pid}/pause",
    tags: ["publishes"],
    summary: "Pause a publish plan",
    description:
      "Who has the new version keeps it, nobody else gets it, and the bake time stands still. A pause that nobody ends counts as forgotten after max_minutes and ends as on_timeout says. A plan that does not bake is 409.",
    middleware: [optionalBody],
    request: {
      params: publishParams,
      headers: updateHeaders,
      body: { required: false, content: json(pauseRequest) },
    },
    responses: { 200: { description: "The plan as it is now", content: json(publishWritten) } },
  },
);

/** P5: halts a plan in its stage. */
export function registerPublishPause(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { pid } = c.req.valid("param");
    // Without a body there is nothing that was validated.
    const { max_minutes, on_timeout } = pauseRequest.parse(c.req.valid("json"));
    const plan = await findPublishForMove(c, pid);
    const command = {
      ...(await commandHead(c, plan.tenant, plan.revision)),
      kind: "pause_publish" as const,
      payload: { publish_id: pid, expected_stage: plan.stage, minutes: max_minutes, on_timeout },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    const view = viewPublish(answer.result.publish);
    c.header("etag", view.etag);
    return c.json({ ...view, index: await writtenIndex(c, answer) }, 200);
  });
}
