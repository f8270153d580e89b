/**
 * Moves one plan past a stage that has baked.
 * Invariant: whatever is done twice, late or at once, a plan leaves a stage once. The log holds it: the command names the
 * stage it believes in, the core refuses it when another one bakes or the stage has not baked by the log's time, and its
 * idempotency key is made of plan and stage. The lease only saves work; it may be lost or held by two without harm.
 */
import type { CorePort } from "../../contracts/core/core-port.ts";
import type { LeaseStore } from "../../contracts/lease/lease-store.ts";
import { ConfluxError, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import { type Command, COMMAND_FORMAT_VERSION, type CommandOf } from "../../domain/command/command.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";

/** Longer than a proposal may take, so that a holder which lives still has it at the end. */
const LEASE_MS = 15_000;
/** Refusals that mean: somebody else has moved the plan, or its time has not come by the log. */
const SETTLED: readonly ErrorCode[] = ["not_found", "invalid_transition"];
/** Refusals that mean: the plan stays due, until the freeze is over or people have decided. */
const HELD: readonly ErrorCode[] = ["change_frozen", "approval_required"];
const ACTOR = { type: "system", id: "publish-stage", name: "publish-stage" } as const;

export interface StageDeps {
  core: Pick<CorePort, "propose">;
  leases: LeaseStore;
  /** Who takes leases: one an invocation. */
  holder: string;
  /** 32 hex digits. */
  newTraceId: () => string;
}

/** `advanced` by this call; `settled` without it; `leased` by another run, which is at it; `held` back by the rules of changes. */
export type StageOutcome = "advanced" | "settled" | "leased" | "held";

/** Rejects with what the core or the lease store says when either is away or the core refuses for another reason. */
export async function advancePublishStage(deps: StageDeps, plan: PublishPlan): Promise<StageOutcome> {
  const lease = `publish-stage/${plan.id}`;
  if (!(await deps.leases.acquire(lease, deps.holder, LEASE_MS))) return "leased";
  try {
    const command = await advanceCommand(plan, deps.newTraceId());
    const answer = await deps.core.propose({ command, attachments: [] });
    return answer.replayed ? "settled" : "advanced";
  } catch (error) {
    if (error instanceof ConfluxError && SETTLED.includes(error.code)) return "settled";
    if (error instanceof ConfluxError && HELD.includes(error.code)) return "held";
    throw error;
  } finally {
    await deps.leases.release(lease, deps.holder);
  }
}

async function advanceCommand(
  plan: PublishPlan,
  traceId: string,
): Promise<CommandOf<"advance_publish"> & Command> {
  const key = await sha256Hex(JSON.stringify(["publish-stage", plan.id, plan.stage]));
  return {
    format: COMMAND_FORMAT_VERSION,
    kind: "advance_publish",
    tenant: plan.namespace.tenant,
    actor: ACTOR,
    ip: "",
    trace_id: traceId,
    // Plan and stage are all there is to the request, so one digest serves as key and as body.
    idempotency: { scope: key, digest: key },
    expected_revision: null,
    payload: { publish_id: plan.id, expected_stage: plan.stage, cause: "bake_over" },
  };
}

async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Buffer.from(digest).toString("hex");
}
