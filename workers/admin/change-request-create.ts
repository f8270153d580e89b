import type { OpenAPIHono } from "@hono/zod-openapi";
import {
  changeRequestRequest,
  changeRequestWritten,
} from "../../contracts/change-request/change-request-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { answerChangeRequest } from "./answer-change-request.ts";
import { commandHead } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import type { AdminEnv } from "./principal.ts";
import { readOperation } from "./read-operation.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "post",
    path: "/api/v1/mgt/change-requests",
    tags: ["changes"],
    summary: "Ask for a change of a config, for others to approve",
    description:
      "Nothing is changed before the request is executed. It is of the config as it is now, or as If-Match names it. A content is kept beside the request while it is open.",
    request: { headers: updateHeaders, body: { required: true, content: json(changeRequestRequest) } },
    responses: { 201: { description: "Open", content: json(changeRequestWritten) } },
  },
);

/** C14: who may write a config may ask for any change of it. */
export function registerChangeRequestCreate(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const found = await findConfigForWrite(c, body.config_id);
    const { config, live, revision } = found;
    const { operation, attachments, seal } = await readOperation(c, body.operation, found);
    const command = {
      ...(await commandHead(c, config.namespace.tenant)),
      kind: "request_change" as const,
      payload: {
        config_id: config.id,
        config_revision: revision ?? live?.revision ?? 0,
        operation,
        description: body.description,
      },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments, seal }, { traceparent: c.var.traceparent });
    c.header("location", `/api/v1/mgt/change-requests/${answer.result.request.id}`);
    return c.json(await answerChangeRequest(c, answer), 201);
  });
}
