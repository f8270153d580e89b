import type { OpenAPIHono } from "@hono/zod-openapi";
import { snapshotTaken, operationHeaders } from "../../contracts/admin/cluster-operations.ts";
import { snapshotBody } from "../../contracts/core/cluster-api.ts";
import { CLUSTER_RESOURCE, operationRequest } from "./cluster-operator.ts";
import { writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "execute", resource: CLUSTER_RESOURCE },
  {
    method: "post",
    path: "/api/v1/mgt/cluster/snapshot",
    tags: ["cluster"],
    summary: "Make the leader's state durable and compact its log",
    description: "The leader lets go of the log up to the snapshot; what active nodes still lack is kept.",
    request: { headers: operationHeaders, body: { required: true, content: json(snapshotBody) } },
    responses: { 200: { description: "How far the snapshot reaches", content: json(snapshotTaken) } },
  },
);

export function registerClusterSnapshot(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const request = await operationRequest(c);
    const answer = await c.var.deps.core.takeSnapshot({ ...c.req.valid("json"), ...request });
    const { node_id, snapshot_index } = answer;
    return c.json({ node_id, snapshot_index, index: await writtenIndex(c, answer) }, 200);
  });
}
