import type { OpenAPIHono } from "@hono/zod-openapi";
import { clusterStatusView } from "../../contracts/admin/cluster-status.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { sessionEnded } from "./require-permission.ts";

/** Roles belong to tenants and the cluster to none, so anyone who has signed in may see how it is. */
const route = declareRoute("authenticated", {
  method: "get",
  path: "/api/v1/mgt/cluster/status",
  tags: ["cluster"],
  summary: "The nodes of the core, as its leader sees them",
  responses: { 200: { description: "The cluster", content: json(clusterStatusView) } },
});

export function registerClusterStatus(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const status = await c.var.deps.core.status();
    // Asked of the core and not of the database: operators look here while that is away.
    if (c.var.principal.issuedAtMs < status.tokens_not_before_ms) throw sessionEnded();
    const { cluster_id, epoch, leader_id, term, nodes } = status;
    return c.json({ cluster_id, epoch, leader_id, term, nodes }, 200);
  });
}
