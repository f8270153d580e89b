import type { OpenAPIHono } from "@hono/zod-openapi";
import {
  changeComment,
  changeRequestParams,
  changeRequestWritten,
} from "../../contracts/change-request/change-request-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { declareRoute, json } from "./declare-route.ts";
import { optionalBody } from "./optional-body.ts";
import type { AdminEnv } from "./principal.ts";
import { stepChangeRequest } from "./step-change-request.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "post",
    path: "/api/v1/mgt/change-requests/{crid}/withdraw",
    tags: ["changes"],
    summary: "Withdraw a change request",
    description: "By its author alone.",
    middleware: [optionalBody],
    request: {
      params: changeRequestParams,
      headers: updateHeaders,
      body: { required: false, content: json(changeComment) },
    },
    responses: { 200: { description: "As it is now", content: json(changeRequestWritten) } },
  },
);

export function registerChangeRequestWithdraw(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    // Without a body there is nothing that was validated.
    const body = changeComment.parse(c.req.valid("json"));
    const step = { kind: "withdraw_change" as const, body };
    return c.json(await stepChangeRequest(c, c.req.valid("param").crid, step), 200);
  });
}
