import type { OpenAPIHono } from "@hono/zod-openapi";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { publishParams, publishWritten } from "../../contracts/publish/publish-schemas.ts";
import { skipGatesQuery, skipGatesRequest } from "../../contracts/publish/publish-gate-schemas.ts";
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
    path: "/api/v1/mgt/publishes/{pid}/resume",
    tags: ["publishes"],
    summary: "Resume a paused publish plan",
    description:
      "The bake time goes on where it stood, and the gates of the stage are asked again, unless skip_gates=true lets it go on without them. A plan that is not paused is 409.",
    middleware: [optionalBody],
    request: {
      params: publishParams,
      headers: updateHeaders,
      query: skipGatesQuery,
      body: { required: false, content: json(skipGatesRequest) },
    },
    responses: { 200: { description: "The plan as it is now", content: json(publishWritten) } },
  },
);

/** P5: a paused plan goes on. */
export function registerPublishResume(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { pid } = c.req.valid("param");
    // Without a body there is nothing that was validated.
    const { reason } = skipGatesRequest.parse(c.req.valid("json") ?? {});
    const plan = await findPublishForMove(c, pid);
    const skipped = await skipGates(c, plan, { ...c.req.valid("query"), reason });
    const command = {
      ...(await commandHead(c, plan.tenant, plan.revision)),
      kind: "resume_publish" as const,
      payload: { publish_id: pid, ...(skipped === null ? {} : { skip_gates: skipped }) },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    const view = viewPublish(answer.result.publish);
    c.header("etag", view.etag);
    return c.json({ ...view, index: await writtenIndex(c, answer) }, 200);
  });
}
