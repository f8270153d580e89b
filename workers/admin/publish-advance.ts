import type { OpenAPIHono } from "@hono/zod-openapi";
import { changeHeaders } from "../../contracts/config/fields.ts";
import { publishParams, publishWritten } from "../../contracts/publish/publish-schemas.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findPublishForMove } from "./find-publish.ts";
import type { AdminEnv } from "./principal.ts";
import { viewPublish } from "./publish-views.ts";

const route = declareRoute(
  { action: "publish", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "post",
    path: "/api/v1/mgt/publishes/{pid}/advance",
    tags: ["publishes"],
    summary: "Advance a publish plan past the stage that bakes",
    description:
      "To the next stage, whose clients join those of the stages before, or from the last to everyone. A plan that is paused or has ended is 409.",
    request: { params: publishParams, headers: changeHeaders },
    responses: { 200: { description: "The plan as it is now", content: json(publishWritten) } },
  },
);

/** P4 by hand: the bake time does not matter. */
export function registerPublishAdvance(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { pid } = c.req.valid("param");
    const plan = await findPublishForMove(c, pid);
    const command = {
      ...(await commandHead(c, plan.tenant, plan.revision)),
      ...(await breakGlass(c, plan)),
      kind: "advance_publish" as const,
      payload: { publish_id: pid, expected_stage: plan.stage, cause: "by_hand" as const },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    const view = viewPublish(answer.result.publish);
    c.header("etag", view.etag);
    return c.json({ ...view, index: await writtenIndex(c, answer) }, 200);
  });
}
