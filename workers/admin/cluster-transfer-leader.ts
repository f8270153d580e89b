import type { OpenAPIHono } from "@hono/zod-openapi";
import { leaderTransferred, operationHeaders } from "../../contracts/admin/cluster-operations.ts";
import { transferLeaderBody } from "../../contracts/core/cluster-api.ts";
import { CLUSTER_RESOURCE, operationRequest } from "./cluster-operator.ts";
import { writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "execute", resource: CLUSTER_RESOURCE },
  {
    method: "post",
    path: "/api/v1/mgt/cluster/transfer-leader",
    tags: ["cluster"],
    summary: "Hand leadership to another voter",
    description: "Without a target: to the voter that has most of the log, of those that answer.",
    request: { headers: operationHeaders, body: { required: true, content: json(transferLeaderBody) } },
    responses: { 200: { description: "Who leads now", content: json(leaderTransferred) } },
  },
);

export function registerClusterTransferLeader(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const request = await operationRequest(c);
    const answer = await c.var.deps.core.transferLeader({ ...c.req.valid("json"), ...request });
    const { leader_id, term } = answer;
    return c.json({ leader_id, term, index: await writtenIndex(c, answer) }, 200);
  });
}
