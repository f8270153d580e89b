import type { OpenAPIHono } from "@hono/zod-openapi";
import {
  applyQuery,
  type BundleApplied,
  bundleApplied,
  bundleDocument,
} from "../../contracts/bundle/bundle-schemas.ts";
import { createHeaders } from "../../contracts/config/fields.ts";
import type { BundlePlan } from "../../domain/bundle/bundle.ts";
import { writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { requireForPlan } from "./bundle-permissions.ts";
import { planFor, proposePlanned, readBundleCommand } from "./bundle-planned.ts";
import type { AdminEnv } from "./principal.ts";
import { requireSession } from "./require-permission.ts";

const route = declareRoute(
  { authenticated: "planned" },
  {
    method: "post",
    path: "/api/v1/mgt/apply",
    tags: ["bundles"],
    summary: "Apply a bundle of configs, or plan it",
    description:
      "All or nothing, in one entry of the log. The caller needs write on each config that is written, publish where rules change, delete where one is pruned, and read on the others.",
    request: {
      headers: createHeaders,
      query: applyQuery,
      body: { required: true, content: json(bundleDocument) },
    },
    responses: { 200: { description: "What was done, or would be", content: json(bundleApplied) } },
  },
);

/** C13: what is asked for is compared with what is there by the core; permissions are asked of the plan that is then applied. */
export function registerBundleApply(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    await requireSession(c);
    const { dry_run, if_plan, ...flags } = c.req.valid("query");
    const { command, attachments } = await readBundleCommand(c, c.req.valid("json"), {
      prune: flags.prune === "true",
      adopt: flags.adopt === "true",
      force: flags.force === "true",
      abort_plan: flags.abort_plan === "true",
      if_plan,
    });
    const { bundle_id } = command.payload;
    const plan = (): Promise<BundlePlan> => planFor(c, command, requireForPlan);
    if (dry_run === "true") return c.json(viewPlan(bundle_id, await plan(), null), 200);
    const { core } = c.var.deps;
    const answer = await proposePlanned(command, plan, (payload) =>
      core.propose({ command: { ...command, payload }, attachments }, { traceparent: c.var.traceparent }),
    );
    return c.json(viewPlan(bundle_id, answer.result.plan, await writtenIndex(c, answer)), 200);
  });
}

function viewPlan(
  bundleId: string,
  { digest, items, warnings }: BundlePlan,
  index: string | null,
): BundleApplied {
  return {
    bundle_id: bundleId,
    dry_run: index === null,
    plan: digest,
    has_changes: items.some(({ action }) => action !== "unchanged" && action !== "orphan"),
    items: items.map(({ position, revision: _revision, ...item }) => ({
      path: position === null ? null : `/configs/${position}`,
      ...item,
    })),
    warnings,
    index,
  };
}
