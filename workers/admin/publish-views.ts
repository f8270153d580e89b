import {
  bakedAtMs,
  currentStage,
  type PublishPlan,
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
    stages: plan.stages.map(({ started_at_ms, paused_ms: _paused, ...stage }) => ({
      ...stage,
      started_at: started_at_ms === null ? null : toTime(started_at_ms),
    })),
    creator: plan.creator,
    created_at: toTime(plan.created_at_ms),
    updated_at: toTime(plan.updated_at_ms),
    ended_at: plan.ended_at_ms === null ? null : toTime(plan.ended_at_ms),
    etag: configEtag(plan.revision),
  };
}
