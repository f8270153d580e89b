import type { OpenAPIHono } from "@hono/zod-openapi";
import type { z } from "zod";
import {
  changeRulesQuery,
  changeRulesRequest,
  changeRulesWritten,
} from "../../contracts/change-request/change-rules-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import type { FreezeWindow } from "../../domain/change-request/change-rules.ts";
import { viewChangeRules } from "./change-views.ts";
import { commandHead, expectedRevision, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}" },
  {
    method: "put",
    path: "/api/v1/mgt/change-rules",
    tags: ["changes"],
    summary: "Replace what a tenant asks of changes",
    description:
      "Policies of approval and freeze windows hold from now on, for change requests that are open too. Times of weekly windows are UTC.",
    request: {
      query: changeRulesQuery,
      headers: updateHeaders,
      body: { required: true, content: json(changeRulesRequest) },
    },
    responses: { 200: { description: "As they are now", content: json(changeRulesWritten) } },
  },
);

/** C14: for who administers the tenant as a whole. */
export function registerChangeRulesPut(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { tenant } = c.req.valid("query");
    await requireDeclared(c, { tenant });
    const { approvals, freezes } = c.req.valid("json");
    const { core } = c.var.deps;
    const { rules } = await core.getChangeRules(tenant, { traceparent: c.var.traceparent });
    const command = {
      ...(await commandHead(c, tenant, expectedRevision(c, rules))),
      kind: "set_change_rules" as const,
      payload: { approvals, freezes: freezes.map(readFreeze) },
    };
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    const view = viewChangeRules(answer.result.rules);
    c.header("etag", view.etag);
    return c.json({ ...view, index: await writtenIndex(c, answer) }, 200);
  });
}

function readFreeze(window: z.output<typeof changeRulesRequest>["freezes"][number]): FreezeWindow {
  const { name, namespaces } = window;
  if (window.type === "absolute") {
    const { type, from, until } = window;
    return { type, name, namespaces, from_ms: Date.parse(from), until_ms: Date.parse(until) };
  }
  const { type, day, time, duration_minutes } = window;
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  return { type, name, namespaces, day, minute_of_day: hours * 60 + minutes, duration_minutes };
}
