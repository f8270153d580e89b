import type { OpenAPIHono } from "@hono/zod-openapi";
import {
  changeComment,
  changeRequestParams,
  changeRequestWritten,
} from "../../contracts/change-request/change-request-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { answerChangeRequest } from "./answer-change-request.ts";
import { commandHead, expectedRevision } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findChangeRequest } from "./find-change-request.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "post",
    path: "/api/v1/mgt/change-requests/{crid}/withdraw",
    tags: ["changes"],
    summary: "Withdraw a change request",
    description: "By its author alone.",
    request: {
      params: changeRequestParams,
      headers: updateHeaders,
      body: { required: true, content: json(changeComment) },
    },
    responses: { 200: { description: "As it is now", content: json(changeRequestWritten) } },
  },
);

export function registerChangeRequestWithdraw(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const request = await findChangeRequest(c, c.req.valid("param").crid);
    const command = {
      ...(await commandHead(c, request.namespace.tenant, expectedRevision(c, request))),
      kind: "withdraw_change" as const,
      payload: { change_request_id: request.id, ...c.req.valid("json") },
    };
    const { core } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    return c.json(await answerChangeRequest(c, answer), 200);
  });
}
