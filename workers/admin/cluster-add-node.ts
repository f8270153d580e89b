import type { OpenAPIHono } from "@hono/zod-openapi";
import { nodeAdded, operationHeaders } from "../../contracts/admin/cluster-operations.ts";
import { addNodeBody } from "../../contracts/core/cluster-api.ts";
import { CLUSTER_RESOURCE, operationRequest } from "./cluster-operator.ts";
import { writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "execute", resource: CLUSTER_RESOURCE },
  {
    method: "post",
    path: "/api/v1/mgt/cluster/add-node",
    tags: ["cluster"],
    summary: "Add a node to the core",
    description:
      "Start the node first, with CONFLUX_JOIN=1. It is a learner until it has caught up, then a voter; when that takes too long the answer says learner, and the same request goes on with it. An id that was ever used is refused.",
    request: { headers: operationHeaders, body: { required: true, content: json(addNodeBody) } },
    responses: { 200: { description: "The node, as it is now", content: json(nodeAdded) } },
  },
);

export function registerClusterAddNode(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const request = await operationRequest(c);
    const answer = await c.var.deps.core.addNode({ ...c.req.valid("json"), ...request });
    const { node_id, role, match_index, last_index } = answer;
    return c.json({ node_id, role, match_index, last_index, index: await writtenIndex(c, answer) }, 200);
  });
}
