/**
 * Moves one plan past a stage that has baked, as its gates say, or ends its pause when that counts as forgotten.
 * Invariant: whatever is done twice, late or at once, a plan leaves a stage or a pause once. The log holds it: the command
 * names the stage or the pause it believes in, the core refuses it when the plan is elsewhere or its time has not come by
 * the log, and its idempotency key is made of plan and stage or pause. The lease only saves work; it may be lost or held by
 * two without harm.
 */
import type { LeaseStore } from "../../contracts/lease/lease-store.ts";
import { ConfluxError, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import type { CommandOf } from "../../domain/command/command.ts";
import { openGates } from "../../domain/publish/publish-gate.ts";
import { currentStage, type PublishPause, type PublishPlan } from "../../domain/publish/publish-plan.ts";
import { type FollowGatesDeps, followPublishGates } from "./follow-publish-gates.ts";
import { publishCommandHead } from "./publish-command-head.ts";

/** Longer than a proposal may take, so that a holder which lives still has it at the end. */
export const PUBLISH_LEASE_MS = 15_000;
/** Refusals that mean: somebody else has moved the plan, or its time has not come by the log. */
const SETTLED: readonly ErrorCode[] = ["not_found", "invalid_transition", "precondition_failed"];
/** Refusals that mean: the plan stays due, until the freeze is over or people have decided. */
const HELD: readonly ErrorCode[] = ["change_frozen", "approval_required"];

export interface StageDeps extends FollowGatesDeps {
  leases: LeaseStore;
  /** Who takes leases: one an invocation. */
  holder: string;
}

/**
 * `advanced` by this call; `stopped` by a gate that fails; `waiting` for its gates, or for the end of its bake time;
 * `settled` without it; `leased` by another run, which is at it; `held` back by the rules of changes.
 */
export type StageOutcome = "advanced" | "stopped" | "waiting" | "settled" | "leased" | "held";

/**
 * Under a lease of the plan's own. Rejects with what the core or the lease store says when either is away or the core
 * refuses for another reason.
 */
export async function advancePublishStage(deps: StageDeps, plan: PublishPlan): Promise<StageOutcome> {
  const lease = `publish-stage/${plan.id}`;
  if (!(await deps.leases.acquire(lease, deps.holder, PUBLISH_LEASE_MS))) return "leased";
  try {
    return await movePublish(deps, plan);
  } finally {
    await deps.leases.release(lease, deps.holder);
  }
}

/** The same without a lease: for whoever holds one of many plans. */
export async function movePublish(deps: FollowGatesDeps, plan: PublishPlan): Promise<StageOutcome> {
  try {
    return await move(deps, plan);
  } catch (error) {
    if (error instanceof ConfluxError && SETTLED.includes(error.code)) return "settled";
    if (error instanceof ConfluxError && HELD.includes(error.code)) return "held";
    throw error;
  }
}

/** Whether a plan bakes in a stage whose gates count. */
export function hasOpenGates(plan: PublishPlan): boolean {
  return plan.state === "baking" && openGates(currentStage(plan)).length > 0;
}

async function move(deps: FollowGatesDeps, plan: PublishPlan): Promise<StageOutcome> {
  const stage = currentStage(plan);
  if (stage !== undefined && hasOpenGates(plan)) return followPublishGates(deps, plan, stage);
  const answer = await (plan.pause === undefined
    ? deps.core.propose({ command: await advanceCommand(deps, plan), attachments: [] })
    : deps.core.propose({ command: await endPauseCommand(deps, plan, plan.pause), attachments: [] }));
  return answer.replayed ? "settled" : "advanced";
}

async function advanceCommand(
  deps: FollowGatesDeps,
  plan: PublishPlan,
): Promise<CommandOf<"advance_publish">> {
  return {
    ...(await publishCommandHead(plan, deps.newTraceId(), ["publish-stage", plan.id, plan.stage])),
    kind: "advance_publish",
    payload: { publish_id: plan.id, expected_stage: plan.stage, cause: "bake_over" },
  };
}

async function endPauseCommand(
  deps: FollowGatesDeps,
  plan: PublishPlan,
  pause: PublishPause,
): Promise<CommandOf<"end_pause">> {
  const what = ["publish-stage/pause", plan.id, pause.started_at_ms];
  return {
    ...(await publishCommandHead(plan, deps.newTraceId(), what)),
    kind: "end_pause",
    payload: { publish_id: plan.id, paused_at_ms: pause.started_at_ms },
  };
}
