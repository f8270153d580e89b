import type { OpenAPIHono } from "@hono/zod-openapi";
import { clusterStatusView } from "../../contracts/admin/cluster-status.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requirePermission } from "./require-permission.ts";

/** The cluster belongs to no tenant: only a pattern like `**` covers it. */
const CLUSTER_RESOURCE = "cluster";

const route = declareRoute(
  { action: "read", resource: CLUSTER_RESOURCE },
  {
    method: "get",
    path: "/api/v1/mgt/cluster/status",
    tags: ["cluster"],
    summary: "The nodes of the core, as its leader sees them",
    responses: { 200: { description: "The cluster", content: json(clusterStatusView) } },
  },
);

export function registerClusterStatus(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    await requirePermission(c, "read", CLUSTER_RESOURCE);
    const { cluster_id, epoch, leader_id, term, nodes } = await c.var.deps.core.status();
    return c.json({ cluster_id, epoch, leader_id, term, nodes }, 200);
  });
}
