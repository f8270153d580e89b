import type { OpenAPIHono } from "@hono/zod-openapi";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { approveStageRequest } from "../../contracts/publish/publish-gate-schemas.ts";
import { publishParams, publishWritten } from "../../contracts/publish/publish-schemas.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findPublishForMove } from "./find-publish.ts";
import { optionalBody } from "./optional-body.ts";
import type { AdminEnv } from "./principal.ts";
import { viewPublish } from "./publish-views.ts";

const route = declareRoute(
  { action: "approve", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "post",
    path: "/api/v1/mgt/publishes/{pid}/approve",
    tags: ["publishes"],
    summary: "Approve the stage that a publish plan is in",
    description:
      "Counts for the approval gate of that stage. Each person counts once, and the plan's creator not at all (403). If-Match with the plan's ETag approves it exactly as it was looked at. A stage that waits for no approval is 409.",
    middleware: [optionalBody],
    request: {
      params: publishParams,
      headers: updateHeaders,
      body: { required: false, content: json(approveStageRequest) },
    },
    responses: { 200: { description: "The plan as it is now", content: json(publishWritten) } },
  },
);

/** P4: another person's word that a stage may be left. */
export function registerPublishApprove(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { pid } = c.req.valid("param");
    // Without a body there is nothing that was validated.
    const { comment } = approveStageRequest.parse(c.req.valid("json") ?? {});
    const plan = await findPublishForMove(c, pid);
    const command = {
      ...(await commandHead(c, plan.tenant, plan.revision)),
      kind: "approve_publish_stage" as const,
      payload: { publish_id: pid, expected_stage: plan.stage, comment },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    const view = viewPublish(answer.result.publish);
    c.header("etag", view.etag);
    return c.json({ ...view, index: await writtenIndex(c, answer) }, 200);
  });
}
