import type { OpenAPIHono } from "@hono/zod-openapi";
import {
  applyQuery,
  type BundleApplied,
  bundleApplied,
  bundleDocument,
} from "../../contracts/bundle/bundle-schemas.ts";
import { createChangeHeaders } from "../../contracts/config/fields.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { BundlePlan, BundlePlanItem } from "../../domain/bundle/bundle.ts";
import { isWritten } from "../../domain/change-request/change-request.ts";
import type { CommandOf } from "../../domain/command/command.ts";
import { breakGlass } from "./break-glass.ts";
import { writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { requireForPlan } from "./bundle-permissions.ts";
import { NO_PLAN, planFor, proposePlanned, readBundleCommand } from "./bundle-planned.ts";
import type { AdminEnv } from "./principal.ts";
import { requireSession } from "./require-permission.ts";
import { warnOfBlanks } from "./warn-of-blanks.ts";

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
      headers: createChangeHeaders,
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
    const { dry_run, if_plan, ...flags } = c.req.valid("query");
    const { command, attachments } = await readBundleCommand(c, c.req.valid("json"), {
      prune: flags.prune === "true",
      adopt: flags.adopt === "true",
      force: flags.force === "true",
      abort_plan: flags.abort_plan === "true",
      if_plan,
    });
    let pass: { break_glass?: string } = {};
    const requireFor = async (
      of: typeof c,
      tenant: string,
      items: readonly BundlePlanItem[],
    ): Promise<void> => {
      await requireForPlan(of, tenant, items);
      const written = items.filter(isWritten);
      pass = await breakGlass(
        of,
        ...written.map(({ app: appName, env, name }) => ({ namespace: { tenant, app: appName, env }, name })),
      );
    };
    const plan = () => planFor(c, command, requireFor);
    if (dry_run === "true") {
      const planned = await plan();
      const passes = (code: string): boolean => code === "change_frozen" && pass.break_glass !== undefined;
      const blocked = planned.guards.filter(({ code }) => !passes(code));
      return c.json({ ...viewPlan(command, planned, null), blocked }, 200);
    }
    const { core } = c.var.deps;
    const propose = (payload: BundleCommand["payload"]) =>
      core.propose<"apply_bundle">(
        { command: { ...command, ...pass, payload }, attachments },
        { traceparent: c.var.traceparent },
      );
    const answer = await proposePlanned(command, plan, propose).catch((error: unknown) =>
      findRepeated(command, propose, error),
    );
    return c.json(viewPlan(command, answer.result.plan, await writtenIndex(c, answer)), 200);
  });
}

/**
 * The first answer to a request that is repeated when its bundle can no longer be planned (C12), since something that it
 * names is gone. Throws `refusal` when it is no repetition.
 */
async function findRepeated<T>(
  command: BundleCommand,
  propose: (payload: BundleCommand["payload"]) => Promise<T>,
  refusal: unknown,
): Promise<T> {
  const isInvalid = refusal instanceof ConfluxError && refusal.code === "validation_failed";
  if (!isInvalid || command.idempotency === null) throw refusal;
  try {
    return await propose({ ...command.payload, if_plan: NO_PLAN });
  } catch (error) {
    const isNew =
      error instanceof ConfluxError && ["validation_failed", "precondition_failed"].includes(error.code);
    throw isNew ? refusal : error;
  }
}

function viewPlan(
  { payload }: BundleCommand,
  { digest, items, warnings }: BundlePlan,
  index: string | null,
): BundleApplied {
  const blanks = payload.configs.flatMap(({ app, env, name, releases }) =>
    warnOfBlanks(releases ?? []).map((warning) => `${app}/${env}/${name}: ${warning}`),
  );
  return {
    bundle_id: payload.bundle_id,
    dry_run: index === null,
    plan: digest,
    has_changes: items.some(({ action }) => action !== "unchanged" && action !== "orphan"),
    items: items.map(({ position, revision: _revision, ...item }) => ({
      path: position === null ? null : `/configs/${position}`,
      ...item,
    })),
    warnings: [...warnings, ...blanks],
    blocked: [],
    index,
  };
}
