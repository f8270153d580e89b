import type { OpenAPIHono } from "@hono/zod-openapi";
import { changeHeaders, idParams } from "../../contracts/config/fields.ts";
import { grayAdvanceRequest } from "../../contracts/publish/publish-schemas.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { answerGrayPlan, findGrayPlan } from "./gray-plan.ts";
import { type GrayResource, grayAccess } from "./gray-resources.ts";
import { optionalBody } from "./optional-body.ts";
import type { AdminEnv } from "./principal.ts";

/** P4 by hand: the next stage, or everyone. */
export function registerGrayAdvance(app: OpenAPIHono<AdminEnv>, resource: GrayResource): void {
  const route = declareRoute(
    { action: "publish", resource: grayAccess(resource) },
    {
      method: "post",
      path: `${resource.path}/{id}/advance`,
      tags: ["typed configs"],
      summary: `Advance one ${resource.word} to its next stage, or from the last to every region`,
      description:
        "When it is full, the version that was full before is deprecated. 409 when nothing is on its way, it is paused, or it is not in expected_stage any more. Without expected_stage or If-Match the stage is left that it is in when the request arrives.",
      middleware: [optionalBody],
      request: {
        params: idParams,
        headers: changeHeaders,
        body: { required: false, content: json(grayAdvanceRequest) },
      },
      responses: {
        200: { description: "The version that is published", content: json(resource.views.published) },
      },
    },
  );
  app.openapi(route, async (c) => {
    // Without a body there is nothing that was validated.
    const { expected_stage } = grayAdvanceRequest.parse(c.req.valid("json") ?? {});
    const plan = await findGrayPlan(c, resource, c.req.valid("param").id);
    const command = {
      ...(await commandHead(c, plan.tenant, plan.revision)),
      ...(await breakGlass(c, plan)),
      kind: "advance_publish" as const,
      payload: {
        publish_id: plan.publishId,
        expected_stage: expected_stage ?? plan.stage,
        cause: "by_hand" as const,
      },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    return c.json(await answerGrayPlan(c, resource, answer), 200);
  });
}
