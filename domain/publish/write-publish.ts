import type { PublishChanged } from "../command/feed-entry.ts";
import { type StateChange, stateKey } from "../command/state-view.ts";
import { grayGroups } from "./gray-groups.ts";
import {
  currentStage,
  goesOnAtMs,
  isRunning,
  type PublishCause,
  type PublishPlan,
  publishDueAtMs,
  publishStatus,
} from "./publish-plan.ts";
import { mayMoveStage } from "./publish-transitions.ts";

/**
 * Writes that move a plan from `before` (null: it begins) to `after`, with what is found through it: the running plan of
 * its config, and its place among the plans that come due. Throws when they are not the same plan or no
 * plan moves so: a verb that went on would break what holds of plans.
 */
export function writePublish(before: PublishPlan | null, after: PublishPlan): StateChange[] {
  if (before !== null && before.id !== after.id) throw new Error(`${after.id} is not ${before.id}`);
  if (!mayMoveStage(before, after)) {
    const from = before === null ? "nowhere" : publishStatus(before);
    throw new Error(`${after.id} does not go from ${from} to ${publishStatus(after)}`);
  }
  const { id, config_id } = after;
  const changes: StateChange[] = [{ op: "put_json", key: stateKey.publish(id), value: after }];
  if (before === null) {
    changes.push({ op: "put_json", key: stateKey.publishByConfig(config_id, after.revision), value: id });
  }
  const [wasDueMs, dueMs] = [before === null ? null : publishDueAtMs(before), publishDueAtMs(after)];
  if (wasDueMs !== null) changes.push({ op: "delete", key: stateKey.publishDue(wasDueMs, id) });
  if (dueMs !== null) changes.push({ op: "put_json", key: stateKey.publishDue(dueMs, id), value: id });
  const runs = stateKey.runningPublish(config_id);
  if (isRunning(after)) changes.push({ op: "put_json", key: runs, value: id });
  else if (before !== null && isRunning(before)) changes.push({ op: "delete", key: runs });
  return changes;
}

/**
 * Writes of a plan that stays where it is, with another word on its gates. Throws when it does not stay: that is a move.
 */
export function rewritePublish(before: PublishPlan, after: PublishPlan): StateChange[] {
  const stays = before.id === after.id && before.state === after.state && before.stage === after.stage;
  if (!stays) throw new Error(`${after.id} is ${publishStatus(before)}, not ${publishStatus(after)}`);
  const changes: StateChange[] = [{ op: "put_json", key: stateKey.publish(after.id), value: after }];
  const [wasDueMs, dueMs] = [publishDueAtMs(before), publishDueAtMs(after)];
  if (wasDueMs === dueMs) return changes;
  if (wasDueMs !== null) changes.push({ op: "delete", key: stateKey.publishDue(wasDueMs, after.id) });
  if (dueMs !== null) {
    changes.push({ op: "put_json", key: stateKey.publishDue(dueMs, after.id), value: after.id });
  }
  return changes;
}

/** The feed's word on the same move. `reason`: of a cause that needs one. */
export function publishChanged(
  before: PublishPlan | null,
  after: PublishPlan,
  cause: PublishCause,
  reason?: string,
): PublishChanged {
  const stage = currentStage(after);
  const goesOnMs = goesOnAtMs(after);
  return {
    type: "publish_changed",
    publish_id: after.id,
    config_id: after.config_id,
    namespace: after.namespace,
    name: after.name,
    version_id: after.version_id,
    previous_version_id: after.previous_version_id,
    from: before === null ? null : publishStatus(before),
    to: publishStatus(after),
    regions: stage?.regions ?? null,
    labels: stage?.labels ?? null,
    ...(stage?.percentage === undefined ? {} : { percentage: stage.percentage }),
    stage: after.stage,
    gray_groups: grayGroups(after),
    cause,
    ...(reason === undefined ? {} : { reason }),
    ...(goesOnMs === null ? {} : { goes_on_at_ms: goesOnMs }),
  };
}
