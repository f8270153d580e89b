import type { OpenAPIHono } from "@hono/zod-openapi";
import { idParams, updateHeaders } from "../../contracts/config/fields.ts";
import { commandHead } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { answerGrayPlan, findGrayPlan } from "./gray-plan.ts";
import { type GrayResource, grayAccess } from "./gray-resources.ts";
import type { AdminEnv } from "./principal.ts";

/** P5: every region gets the version before. */
export function registerGrayAbort(app: OpenAPIHono<AdminEnv>, resource: GrayResource): void {
  const route = declareRoute(
    { action: "publish", resource: grayAccess(resource) },
    {
      method: "post",
      path: `${resource.path}/{id}/abort`,
      tags: ["typed configs"],
      summary: `Abort the publish of one ${resource.word}`,
      description:
        "The aborted version stays as it is, in effect nowhere; an edit makes the next draft. 409 when nothing is on its way.",
      request: { params: idParams, headers: updateHeaders },
      responses: {
        200: { description: "The version that was aborted", content: json(resource.views.published) },
      },
    },
  );
  app.openapi(route, async (c) => {
    const plan = await findGrayPlan(c, resource, c.req.valid("param").id);
    const command = {
      ...(await commandHead(c, plan.tenant, plan.revision)),
      kind: "abort_publish" as const,
      payload: { publish_id: plan.publishId },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    return c.json(await answerGrayPlan(c, resource, answer), 200);
  });
}
