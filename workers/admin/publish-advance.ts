import type { OpenAPIHono } from "@hono/zod-openapi";
import { changeHeaders } from "../../contracts/config/fields.ts";
import { advanceRequest, publishParams, publishWritten } from "../../contracts/publish/publish-schemas.ts";
import { skipGatesQuery } from "../../contracts/publish/publish-gate-schemas.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findPublishForMove } from "./find-publish.ts";
import { optionalBody } from "./optional-body.ts";
import type { AdminEnv } from "./principal.ts";
import { viewPublish } from "./publish-views.ts";
import { skipGates } from "./skip-gates.ts";

const route = declareRoute(
  {
    action: "publish",
    resource: "{tenant}/{app}/{env}/{name}",
    also: "approve on it, to skip gates",
  },
  {
    method: "post",
    path: "/api/v1/mgt/publishes/{pid}/advance",
    tags: ["publishes"],
    summary: "Advance a publish plan past the stage that bakes",
    description:
      "To the next stage, whose clients join those of the stages before, or from the last to everyone. A plan that is paused or has ended is 409. So is one whose stage has gates that did not hold when they were last asked (conflict), unless skip_gates=true lets it go on without them, and one that is not in expected_stage any more. Without expected_stage or If-Match the stage is left that the plan is in when the request arrives.",
    middleware: [optionalBody],
    request: {
      params: publishParams,
      headers: changeHeaders,
      query: skipGatesQuery,
      body: { required: false, content: json(advanceRequest) },
    },
    responses: { 200: { description: "The plan as it is now", content: json(publishWritten) } },
  },
);

/** P4 by hand: the bake time does not matter; gates do, unless they are skipped. */
export function registerPublishAdvance(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { pid } = c.req.valid("param");
    // Without a body there is nothing that was validated.
    const { reason, expected_stage } = advanceRequest.parse(c.req.valid("json") ?? {});
    const found = await findPublishForMove(c, pid);
    const plan = { ...found, stage: expected_stage ?? found.stage };
    const skipped = await skipGates(c, plan, { ...c.req.valid("query"), reason });
    const command = {
      ...(await commandHead(c, plan.tenant, plan.revision)),
      ...(await breakGlass(c, plan)),
      kind: "advance_publish" as const,
      payload: {
        publish_id: pid,
        expected_stage: plan.stage,
        cause: "by_hand" as const,
        ...(skipped === null ? {} : { gates: { skipped } }),
      },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    const view = viewPublish(answer.result.publish);
    c.header("etag", view.etag);
    return c.json({ ...view, index: await writtenIndex(c, answer) }, 200);
  });
}
