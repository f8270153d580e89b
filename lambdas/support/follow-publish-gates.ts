/**
 * Asks the gates of a plan's stage and does what follows: tells the log when one fails, or says something else than before; goes
 * on when the stage has baked and all hold.
 * Invariant: an old answer never moves a plan. The commands name the revision that the plan had when its gates were asked,
 * so what was found before anybody moved it, approved it or reported other verdicts is refused.
 */
import type { CorePort } from "../../contracts/core/core-port.ts";
import type { PublishGatePorts } from "../../contracts/publish/publish-gate-port.ts";
import type { CommandOf } from "../../domain/command/command.ts";
import type { GateOutcome } from "../../domain/publish/publish-gate.ts";
import { bakedAtMs, type PublishPlan, type PublishStage } from "../../domain/publish/publish-plan.ts";
import { askPublishGates } from "./ask-publish-gates.ts";
import { publishCommandHead } from "./publish-command-head.ts";

export interface FollowGatesDeps {
  core: Pick<CorePort, "propose">;
  gates: PublishGatePorts;
  /** Says whether it is worth proposing to go on; the log's time decides. */
  nowMs: () => number;
  newTraceId: () => string;
}

/** `stopped`: a gate paused or aborted the plan; `waiting`: it stays where it is. */
export async function followPublishGates(
  deps: FollowGatesDeps,
  plan: PublishPlan,
  stage: PublishStage,
): Promise<"advanced" | "stopped" | "waiting" | "settled"> {
  const outcomes = await askPublishGates(deps.gates, plan, stage);
  const traceId = deps.newTraceId();
  let { revision } = plan;
  if (isNews(stage, outcomes)) {
    const answer = await deps.core.propose({
      command: await reportCommand(plan, traceId, outcomes),
      attachments: [],
    });
    const { publish } = answer.result;
    if (publish.state !== "baking") return answer.replayed ? "settled" : "stopped";
    ({ revision } = publish);
  }
  const dueAtMs = bakedAtMs(plan);
  const isOver = dueAtMs !== null && dueAtMs <= deps.nowMs();
  if (!isOver || outcomes.some(({ verdict }) => verdict !== "holds")) return "waiting";
  const answer = await deps.core.propose({
    command: await advanceCommand(plan, traceId, revision),
    attachments: [],
  });
  return answer.replayed ? "settled" : "advanced";
}

function isNews({ gate_outcomes: before }: PublishStage, outcomes: readonly GateOutcome[]): boolean {
  return outcomes.some(({ verdict }, i) => verdict === "fails" || verdict !== before?.[i]?.verdict);
}

async function reportCommand(
  plan: PublishPlan,
  traceId: string,
  outcomes: GateOutcome[],
): Promise<CommandOf<"report_gates">> {
  const what = ["publish-stage/gates", plan.id, plan.stage, plan.revision, JSON.stringify(outcomes)];
  return {
    ...(await publishCommandHead(plan, traceId, what, plan.revision)),
    kind: "report_gates",
    payload: { publish_id: plan.id, expected_stage: plan.stage, outcomes },
  };
}

async function advanceCommand(
  plan: PublishPlan,
  traceId: string,
  revision: number,
): Promise<CommandOf<"advance_publish">> {
  const what = ["publish-stage/gated", plan.id, plan.stage, revision];
  return {
    ...(await publishCommandHead(plan, traceId, what, revision)),
    kind: "advance_publish",
    payload: { publish_id: plan.id, expected_stage: plan.stage, cause: "bake_over", gates: "held" },
  };
}
