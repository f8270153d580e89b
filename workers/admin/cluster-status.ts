import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { clusterStatusView } from "../../contracts/admin/cluster-status.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { CLUSTER_RESOURCE } from "./cluster-operator.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { sessionEnded } from "./require-permission.ts";

/**
 * Roles belong to tenants and the cluster to none, so anyone who has signed in may see how it is; where its nodes are, only
 * who operates it.
 */
const route = declareRoute(
  { authenticated: "cluster_health" },
  {
    method: "get",
    path: "/api/v1/mgt/cluster/status",
    tags: ["cluster"],
    summary: "The nodes of the core, as its leader sees them",
    description: "Addresses are for operators: null for others, and for everyone while the database is away.",
    responses: { 200: { description: "The cluster", content: json(clusterStatusView) } },
  },
);

export function registerClusterStatus(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const status = await c.var.deps.core.status();
    // Asked of the core and not of the database: operators look here while that is away.
    if (c.var.principal.issuedAtMs < status.tokens_not_before_ms) throw sessionEnded();
    const caller = await standingOf(c);
    if (caller === "ended") throw sessionEnded();
    c.var.check.passed = true;
    const { cluster_id, epoch, leader_id, term } = status;
    const nodes = status.nodes.map(({ raft_address, fenced = false, ...node }) => {
      return { ...node, raft_address: caller === "operator" ? raft_address : null, fenced };
    });
    return c.json({ cluster_id, epoch, leader_id, term, nodes }, 200);
  });
}

/**
 * Who asks, by the database. Anyone with a token that is good by itself while it cannot tell: the answer does not need it,
 * and is wanted most when things are away.
 */
async function standingOf(c: Context<AdminEnv>): Promise<"operator" | "user" | "ended"> {
  const { principal } = c.var;
  try {
    if (await principal.allows("read", CLUSTER_RESOURCE)) return "operator";
    return (await principal.hasEnded()) ? "ended" : "user";
  } catch (error) {
    if (error instanceof ConfluxError && error.code === "unavailable") return "user";
    throw error;
  }
}
