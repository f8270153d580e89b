/**
 * Moves one plan past a stage that has baked, or ends its pause when that counts as forgotten.
 * Invariant: whatever is done twice, late or at once, a plan leaves a stage or a pause once. The log holds it: the command
 * names the stage or the pause it believes in, the core refuses it when the plan is elsewhere or its time has not come by
 * the log, and its idempotency key is made of plan and stage or pause. The lease only saves work; it may be lost or held by
 * two without harm.
 */
import type { CorePort } from "../../contracts/core/core-port.ts";
import type { LeaseStore } from "../../contracts/lease/lease-store.ts";
import { ConfluxError, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import { type Command, COMMAND_FORMAT_VERSION, type CommandOf } from "../../domain/command/command.ts";
import type { PublishPause, PublishPlan } from "../../domain/publish/publish-plan.ts";

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
    const head = { tenant: plan.namespace.tenant, trace_id: deps.newTraceId() };
    const answer = await (plan.pause === undefined
      ? deps.core.propose({ command: await advanceCommand(plan, head), attachments: [] })
      : deps.core.propose({ command: await endPauseCommand(plan, plan.pause, head), attachments: [] }));
    return answer.replayed ? "settled" : "advanced";
  } catch (error) {
    if (error instanceof ConfluxError && SETTLED.includes(error.code)) return "settled";
    if (error instanceof ConfluxError && HELD.includes(error.code)) return "held";
    throw error;
  } finally {
    await deps.leases.release(lease, deps.holder);
  }
}

type Head = Pick<Command, "tenant" | "trace_id">;

async function advanceCommand(
  plan: PublishPlan,
  head: Head,
): Promise<CommandOf<"advance_publish"> & Command> {
  return {
    ...(await systemHead(head, ["publish-stage", plan.id, plan.stage])),
    kind: "advance_publish",
    payload: { publish_id: plan.id, expected_stage: plan.stage, cause: "bake_over" },
  };
}

async function endPauseCommand(
  plan: PublishPlan,
  pause: PublishPause,
  head: Head,
): Promise<CommandOf<"end_pause"> & Command> {
  return {
    ...(await systemHead(head, ["publish-stage/pause", plan.id, pause.started_at_ms])),
    kind: "end_pause",
    payload: { publish_id: plan.id, paused_at_ms: pause.started_at_ms },
  };
}

/** `what` is all there is to the request, so one digest serves as key and as body. */
async function systemHead(head: Head, what: readonly (string | number)[]) {
  const key = await sha256Hex(JSON.stringify(what));
  return {
    ...head,
    format: COMMAND_FORMAT_VERSION as typeof COMMAND_FORMAT_VERSION,
    actor: ACTOR,
    ip: "",
    idempotency: { scope: key, digest: key },
    expected_revision: null,
  };
}

async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Buffer.from(digest).toString("hex");
}
