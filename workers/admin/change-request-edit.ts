import type { OpenAPIHono } from "@hono/zod-openapi";
import {
  changeRequestEdit,
  changeRequestParams,
  changeRequestWritten,
} from "../../contracts/change-request/change-request-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { answerChangeRequest } from "./answer-change-request.ts";
import { commandHead, expectedRevision } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findChangeRequest } from "./find-change-request.ts";
import type { AdminEnv } from "./principal.ts";
import { readOperation } from "./read-operation.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "put",
    path: "/api/v1/mgt/change-requests/{crid}",
    tags: ["changes"],
    summary: "Edit a change request; every approval is void",
    description: "By its author alone, while it is open. It is of the config as it is now.",
    request: {
      params: changeRequestParams,
      headers: updateHeaders,
      body: { required: true, content: json(changeRequestEdit) },
    },
    responses: {
      200: { description: "As it is now, without approvals", content: json(changeRequestWritten) },
    },
  },
);

export function registerChangeRequestEdit(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const request = await findChangeRequest(c, c.req.valid("param").crid);
    const { core } = c.var.deps;
    const { config } = await core.getConfig(request.config_id, { traceparent: c.var.traceparent });
    const { operation, attachments, seal } = await readOperation(c, body.operation, { config, live: config });
    const command = {
      ...(await commandHead(c, request.namespace.tenant, expectedRevision(c, request))),
      kind: "edit_change" as const,
      payload: {
        change_request_id: request.id,
        config_id: config.id,
        config_revision: config.revision,
        operation,
        description: body.description,
      },
    };
    const answer = await core.propose({ command, attachments, seal }, { traceparent: c.var.traceparent });
    return c.json(await answerChangeRequest(c, answer), 200);
  });
}
