import type { OpenAPIHono } from "@hono/zod-openapi";
import { nodeRemoved, operationHeaders } from "../../contracts/admin/cluster-operations.ts";
import { removeNodeBody } from "../../contracts/core/cluster-api.ts";
import { CLUSTER_RESOURCE, operationRequest } from "./cluster-operator.ts";
import { writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "execute", resource: CLUSTER_RESOURCE },
  {
    method: "post",
    path: "/api/v1/mgt/cluster/remove-node",
    tags: ["cluster"],
    summary: "Remove a node from the core",
    description:
      "The leader too may be removed. The id is used up. Refused where too few voters would be left.",
    request: { headers: operationHeaders, body: { required: true, content: json(removeNodeBody) } },
    responses: { 200: { description: "It is no member any more", content: json(nodeRemoved) } },
  },
);

export function registerClusterRemoveNode(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const request = await operationRequest(c);
    const answer = await c.var.deps.core.removeNode({ ...c.req.valid("json"), ...request });
    const { node_id } = answer;
    return c.json({ node_id, index: await writtenIndex(c, answer) }, 200);
  });
}
