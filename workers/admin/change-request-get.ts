import type { OpenAPIHono } from "@hono/zod-openapi";
import { changeRequestParams, changeRequestView } from "../../contracts/change-request/change-request-api.ts";
import { readQuery } from "../../contracts/config/fields.ts";
import { toChangeRequestHead } from "../../domain/change-request/change-request.ts";
import { changesOfRequest } from "../../domain/change-request/changes-of.ts";
import { mostRequired } from "../../domain/change-request/guard-change.ts";
import { viewChangeRequest, viewOperation, viewTarget } from "./change-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findChangeRequest } from "./find-change-request.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/change-requests/{crid}",
    tags: ["changes"],
    summary: "One change request, with what it asks for",
    request: { params: changeRequestParams, query: readQuery },
    responses: { 200: { description: "The request", content: json(changeRequestView) } },
  },
);

export function registerChangeRequestGet(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { consistency } = c.req.valid("query");
    const request = await findChangeRequest(c, c.req.valid("param").crid, consistency);
    const { namespace } = request;
    const options = { consistency, traceparent: c.var.traceparent };
    const { rules } = await c.var.deps.core.getChangeRules(namespace.tenant, options);
    const view = viewChangeRequest(toChangeRequestHead(request), Date.now());
    c.header("etag", view.etag);
    return c.json(
      {
        ...view,
        approvals_required: mostRequired(rules, changesOfRequest(request)),
        operation: viewOperation(request),
        ...(request.targets === undefined ? {} : { configs: request.targets.map(viewTarget) }),
      },
      200,
    );
  });
}
