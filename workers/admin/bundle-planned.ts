import type { Context } from "hono";
import type { BundleDocument } from "../../contracts/bundle/bundle-schemas.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { refuseBlocked } from "../../domain/bundle/refuse-blocked.ts";
import type { BundleGuard, BundlePlan, BundlePlanItem, BundleRequest } from "../../domain/bundle/bundle.ts";
import type { Refusal } from "../../domain/command/apply-verb.ts";
import type { CommandOf } from "../../domain/command/command.ts";
import { requireForBundle } from "./bundle-permissions.ts";
import { readBundle } from "./bundle-request.ts";
import { commandHead } from "./command-head.ts";
import type { AdminEnv } from "./principal.ts";

/** How often a bundle is planned anew when its configs change under it; with `if_plan` never. */
const PLANS_MAX = 3;
/** Of no plan: a command that names it changes nothing, and is only ever answered from memory. */
export const NO_PLAN = "0".repeat(64);

type BundleCommand = CommandOf<"apply_bundle">;
type Flags = Pick<BundleRequest, "prune" | "adopt" | "force" | "abort_plan"> & {
  if_plan?: string | undefined;
};
/** Refuses a caller who may not do what the plan's items say. */
type RequireFor = (c: Context<AdminEnv>, tenant: string, items: readonly BundlePlanItem[]) => Promise<void>;

/** The command that applies a bundle, with its contents, when its caller may read all that the bundle names. */
export async function readBundleCommand(
  c: Context<AdminEnv>,
  body: BundleDocument,
  { if_plan, ...flags }: Flags,
): Promise<{ command: BundleCommand; attachments: Uint8Array[] }> {
  const { id, tenant } = body.bundle;
  await requireForBundle(c, body);
  const quotas = await c.var.deps.quotasOf(c, tenant);
  const { configs, attachments } = await readBundle(body, quotas);
  const { prune, adopt, force, abort_plan } = flags;
  const command: BundleCommand = {
    ...(await commandHead(c, tenant)),
    kind: "apply_bundle",
    payload: {
      bundle_id: id,
      configs,
      prune,
      adopt,
      force,
      abort_plan,
      if_plan: if_plan ?? null,
      max_configs: quotas.maxConfigs,
    },
  };
  return { command, attachments };
}

/** What the command would do, and what the rules of changes hold against it, when its caller may do it. */
export async function planFor(
  c: Context<AdminEnv>,
  command: BundleCommand,
  requireFor: RequireFor,
): Promise<BundlePlan & { guards: BundleGuard[] }> {
  const { core } = c.var.deps;
  const { plan, guards = [] } = await core.planBundle(command, { traceparent: c.var.traceparent });
  await requireFor(c, command.tenant, plan.items);
  return { ...plan, guards };
}

/**
 * Proposes a bundle under exactly the plan whose permissions were asked for (`if_plan`); when it is another one by then, plans
 * again, unless the caller has named the plan. A plan that the caller has named and that is not the one of now is not
 * proposed, for it may come true meanwhile, and nobody has asked whether the caller may do it; neither is one that something
 * stands against, since not all of that is known to the log. The log is asked all the same: it may have the answer to a
 * repetition (C12). `at`: where in the body the bundle is.
 */
export async function proposePlanned<T>(
  command: BundleCommand,
  plan: () => Promise<BundlePlan>,
  propose: (payload: BundleCommand["payload"]) => Promise<T>,
  at = "",
): Promise<T> {
  const wanted = command.payload.if_plan;
  for (let tries = 1; ; tries += 1) {
    const { digest, items } = await plan();
    const isAnother = wanted !== null && wanted !== digest;
    const blocked = isAnother ? null : refuseBlocked(items);
    try {
      const if_plan = isAnother || blocked !== null ? NO_PLAN : digest;
      return await propose({ ...command.payload, if_plan });
    } catch (error) {
      const hasMoved = error instanceof ConfluxError && error.code === "precondition_failed";
      if (hasMoved && blocked !== null) throw refusalOf(blocked, at);
      if (!hasMoved || wanted !== null || tries === PLANS_MAX) throw error;
    }
  }
}

function refusalOf({ code, detail, errors = [] }: Refusal, at: string): ConfluxError {
  return new ConfluxError(code, detail, {
    errors: errors.map((error) => ({ ...error, path: at + error.path })),
  });
}
