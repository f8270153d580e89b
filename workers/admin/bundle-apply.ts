import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import {
  applyQuery,
  type BundleApplied,
  bundleApplied,
  bundleDocument,
} from "../../contracts/bundle/bundle-schemas.ts";
import { createHeaders } from "../../contracts/config/fields.ts";
import type { ProposeAnswer } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { BundlePlan, BundleRequest } from "../../domain/bundle/bundle.ts";
import type { CommandOf } from "../../domain/command/command.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { requireForBundle, requireForPlan } from "./bundle-permissions.ts";
import { readBundle } from "./bundle-request.ts";
import type { AdminEnv } from "./principal.ts";
import { requireSession } from "./require-permission.ts";

/** How often a bundle is planned anew when its configs change under it; with `if_plan` never. */
const PLANS_MAX = 3;

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

type BundleCommand = CommandOf<"apply_bundle">;

/** C13: what is asked for is compared with what is there by the core; permissions are asked of the plan that is then applied. */
export function registerBundleApply(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    await requireSession(c);
    const body = c.req.valid("json");
    const { dry_run, if_plan, ...flags } = c.req.valid("query");
    const { id, tenant } = body.bundle;
    await requireForBundle(c, body);
    const quotas = await c.var.deps.quotasOf(c, tenant);
    const { configs, attachments } = await readBundle(body, quotas);
    const asked: Omit<BundleRequest, "configs" | "bundle_id"> = {
      prune: flags.prune === "true",
      adopt: flags.adopt === "true",
      force: flags.force === "true",
      abort_plan: flags.abort_plan === "true",
    };
    const command: BundleCommand = {
      ...(await commandHead(c, tenant)),
      kind: "apply_bundle",
      payload: { bundle_id: id, configs, ...asked, if_plan: if_plan ?? null, max_configs: quotas.maxConfigs },
    };
    if (dry_run === "true") {
      const plan = await planFor(c, command);
      return c.json(viewPlan(id, plan, null), 200);
    }
    const { answer, plan } = await applyPlanned(c, command, attachments);
    return c.json(viewPlan(id, plan, await writtenIndex(c, answer)), 200);
  });
}

async function planFor(c: Context<AdminEnv>, command: BundleCommand): Promise<BundlePlan> {
  const { core } = c.var.deps;
  const { plan } = await core.planBundle(command, { traceparent: c.var.traceparent });
  await requireForPlan(c, command.tenant, plan.items);
  return plan;
}

/** Applies exactly the plan whose permissions were asked for; when it is another one by then, plans again. */
async function applyPlanned(
  c: Context<AdminEnv>,
  command: BundleCommand,
  attachments: readonly Uint8Array[],
): Promise<{ answer: ProposeAnswer<"apply_bundle">; plan: BundlePlan }> {
  const { core } = c.var.deps;
  const wanted = command.payload.if_plan;
  for (let tries = 1; ; tries += 1) {
    let digest: string;
    try {
      ({ digest } = await planFor(c, command));
    } catch (error) {
      const answer = await findRepeated(c, command, attachments, error);
      return { answer, plan: answer.result.plan };
    }
    const payload = { ...command.payload, if_plan: wanted ?? digest };
    try {
      const answer = await core.propose(
        { command: { ...command, payload }, attachments },
        { traceparent: c.var.traceparent },
      );
      return { answer, plan: answer.result.plan };
    } catch (error) {
      const hasMoved = error instanceof ConfluxError && error.code === "precondition_failed";
      if (!hasMoved || wanted !== null || tries === PLANS_MAX) throw error;
    }
  }
}

/** Of no plan: a command that names it changes nothing, and is only ever answered from memory. */
const NO_PLAN = "0".repeat(64);

/**
 * The first answer to a request that is repeated when its bundle can no longer be planned (C12), since something that it
 * names is gone. Throws `refusal` when it is no repetition.
 */
async function findRepeated(
  c: Context<AdminEnv>,
  command: BundleCommand,
  attachments: readonly Uint8Array[],
  refusal: unknown,
): Promise<ProposeAnswer<"apply_bundle">> {
  const isInvalid = refusal instanceof ConfluxError && refusal.code === "validation_failed";
  if (!isInvalid || command.idempotency === null) throw refusal;
  const payload = { ...command.payload, if_plan: NO_PLAN };
  try {
    return await c.var.deps.core.propose(
      { command: { ...command, payload }, attachments },
      { traceparent: c.var.traceparent },
    );
  } catch (error) {
    const isNew =
      error instanceof ConfluxError && ["validation_failed", "precondition_failed"].includes(error.code);
    throw isNew ? refusal : error;
  }
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
