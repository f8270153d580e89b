import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { readinessView } from "../../contracts/admin/cluster-status.ts";
import { RETRY_AFTER_DEFAULT_S } from "../../contracts/problem/problem.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminDeps, AdminEnv } from "./principal.ts";

const healthRoute = declareRoute(
  { public: "health" },
  {
    method: "get",
    path: "/healthz",
    tags: ["health"],
    summary: "Whether this host answers at all",
    responses: { 200: { description: "Alive", content: json(z.object({ status: z.literal("ok") })) } },
  },
);
const readyRoute = declareRoute(
  { public: "health" },
  {
    method: "get",
    path: "/readyz",
    tags: ["health"],
    summary: "Whether this host reaches what it needs",
    responses: {
      200: { description: "Ready", content: json(readinessView) },
      503: { description: "Something is away", content: json(readinessView) },
    },
  },
);

export function registerHealth(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(healthRoute, (c) => c.json({ status: "ok" as const }, 200));
  app.openapi(readyRoute, async (c) => {
    const { readiness } = c.var.deps;
    const names = Object.keys(readiness);
    const results = await Promise.all(names.map((name) => check(c.var.deps, name, c.var.traceId)));
    const checks = Object.fromEntries(names.map((name, i) => [name, results[i] ?? false]));
    const ready = results.every(Boolean);
    if (ready) return c.json({ ready, checks }, 200);
    return c.json({ ready, checks }, 503, { "retry-after": String(RETRY_AFTER_DEFAULT_S) });
  });
}

async function check(deps: AdminDeps, name: string, traceId: string): Promise<boolean> {
  try {
    return (await deps.readiness[name]?.()) ?? false;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    deps.log({ level: "warn", message: "not ready", check: name, reason, trace_id: traceId });
    return false;
  }
}
