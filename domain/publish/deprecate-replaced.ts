import type { FeedEvent } from "../command/feed-entry.ts";
import { scanAll } from "../command/scan-all.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import type { ConfigVersion } from "../config/config.ts";
import type { PublishPlan } from "./publish-plan.ts";
import { publishChanged, writePublish } from "./write-publish.ts";

/**
 * What a plan that is full does to what it replaces (P2): the version that was the default is deprecated, and so is the plan
 * that brought it there. A version that was deprecated and is published again is so no more. Nothing while the plan is not
 * full, for a plan that only repeats the default, and for one whose command did not ask for it (`form`).
 */
export function deprecateReplaced(
  state: StateView,
  plan: PublishPlan,
  at: { index: number; timestampMs: number },
): { changes: StateChange[]; events: FeedEvent[] } {
  if (plan.state !== "full" || plan.form === undefined) return { changes: [], events: [] };
  const changes: StateChange[] = [];
  const renewed = readVersion(state, plan.config_id, plan.version_id);
  if (renewed?.deprecated_at_ms !== undefined) {
    const { deprecated_at_ms: _no, ...version } = renewed;
    changes.push(putVersion(version));
  }
  const { previous_version_id: previous } = plan;
  if (previous === null || previous === plan.version_id) return { changes, events: [] };
  const version = readVersion(state, plan.config_id, previous);
  if (version !== undefined) changes.push(putVersion({ ...version, deprecated_at_ms: at.timestampMs }));
  const before = findFullPlan(state, plan.config_id, previous);
  if (before === null) return { changes, events: [] };
  const after: PublishPlan = {
    ...before,
    state: "deprecated",
    updated_at_ms: at.timestampMs,
    revision: at.index,
  };
  changes.push(...writePublish(before, after));
  return { changes, events: [publishChanged(before, after, "replaced")] };
}

/** The newest of the kept plans that brought a version to everyone; null when there is none. */
function findFullPlan(state: StateView, configId: string, versionId: number): PublishPlan | null {
  for (const { value } of scanAll(state, stateKey.publishByConfigPrefix(configId))) {
    const plan = state.json(stateKey.publish(value as string)) as PublishPlan;
    if (plan.state === "full" && plan.version_id === versionId) return plan;
  }
  return null;
}

function readVersion(state: StateView, configId: string, versionId: number): ConfigVersion | undefined {
  return state.json(stateKey.version(configId, versionId)) as ConfigVersion | undefined;
}

function putVersion(version: ConfigVersion): StateChange {
  return { op: "put_json", key: stateKey.version(version.config_id, version.version_id), value: version };
}
