import type { Actor } from "../../domain/command/command.ts";
import { type GatedStage, knownOutcomes, type PublishGate } from "../../domain/publish/publish-gate.ts";
import {
  bakedAtMs,
  currentStage,
  type GateStop,
  type PublishPlan,
  type PublishStage,
  type PublishStageInput,
  publishStatus,
} from "../../domain/publish/publish-plan.ts";
import { configEtag } from "./command-head.ts";
import { toTime } from "./config-views.ts";

/** A publish plan as answers show it. */
export function viewPublish(plan: PublishPlan) {
  const dueAtMs = bakedAtMs(plan);
  const { pause } = plan;
  return {
    publish_id: plan.id,
    config_id: plan.config_id,
    namespace: plan.namespace,
    name: plan.name,
    version_id: plan.version_id,
    previous_version_id: plan.previous_version_id,
    description: plan.description,
    strategy: plan.strategy,
    status: publishStatus(plan),
    stage: currentStage(plan)?.name ?? null,
    due_at: dueAtMs === null ? null : toTime(dueAtMs),
    pause:
      pause === undefined
        ? null
        : {
            started_at: toTime(pause.started_at_ms),
            ends_at: toTime(pause.ends_at_ms),
            on_timeout: pause.on_timeout,
          },
    stopped_by: plan.stopped_by === undefined ? null : viewStop(plan.stopped_by),
    stages: plan.stages.map(viewStage),
    creator: plan.creator,
    created_at: toTime(plan.created_at_ms),
    updated_at: toTime(plan.updated_at_ms),
    ended_at: plan.ended_at_ms === null ? null : toTime(plan.ended_at_ms),
    etag: configEtag(plan.revision),
  };
}

function viewStage({ started_at_ms, bake_minutes, ...stage }: PublishStage) {
  const { name, regions, labels, percentage } = stage;
  return {
    name,
    regions,
    labels,
    ...(percentage === undefined ? {} : { percentage }),
    bake_minutes,
    started_at: started_at_ms === null ? null : toTime(started_at_ms),
    ...viewGates(stage),
  };
}

const viewPerson = ({ id, name }: Actor) => ({ id, name });

/** The gates of a stage with what they say, and what people have said of them; nothing for a stage without. */
function viewGates({ gates_skipped: skipped, approvals, ...stage }: GatedStage) {
  if (stage.gates === undefined) return {};
  const outcomes = knownOutcomes({ ...stage, approvals });
  return {
    gates: stage.gates.map((gate, i) => {
      const outcome = outcomes[i];
      const reason = outcome === undefined || outcome.verdict === "holds" ? null : outcome.reason;
      return { ...withoutSecret(gate), verdict: outcome?.verdict ?? ("waits" as const), reason };
    }),
    approvals: (approvals ?? []).map(({ by, at_ms, comment }) => ({
      by: viewPerson(by),
      at: toTime(at_ms),
      comment,
    })),
    ...(skipped === undefined
      ? {}
      : {
          gates_skipped: { by: viewPerson(skipped.by), at: toTime(skipped.at_ms), reason: skipped.reason },
        }),
  };
}

/** A gate as anybody may see it. */
function withoutSecret(gate: PublishGate) {
  if (gate.type !== "webhook") return gate;
  const { secret: _secret, ...shown } = gate;
  return shown;
}

/** Stages as they are asked for. */
export function viewStageInputs(stages: readonly PublishStageInput[]) {
  return stages.map((stage) => ({
    ...stage,
    ...(stage.gates === undefined ? {} : { gates: stage.gates.map(withoutSecret) }),
  }));
}

function viewStop({ gate, reason, at_ms }: GateStop) {
  return { gate, reason, at: toTime(at_ms) };
}
