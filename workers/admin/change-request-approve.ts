import type { OpenAPIHono } from "@hono/zod-openapi";
import {
  changeApproval,
  changeRequestParams,
  changeRequestWritten,
} from "../../contracts/change-request/change-request-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { stepChangeRequest } from "./step-change-request.ts";

const route = declareRoute(
  { action: "approve", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "post",
    path: "/api/v1/mgt/change-requests/{crid}/approve",
    tags: ["changes"],
    summary: "Approve exactly what has the digest",
    description: "By anyone but its author, once each. Another digest than the request has now is 412.",
    request: {
      params: changeRequestParams,
      headers: updateHeaders,
      body: { required: true, content: json(changeApproval) },
    },
    responses: { 200: { description: "As it is now", content: json(changeRequestWritten) } },
  },
);

export function registerChangeRequestApprove(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const step = { kind: "approve_change" as const, body: c.req.valid("json") };
    return c.json(await stepChangeRequest(c, c.req.valid("param").crid, step), 200);
  });
}
