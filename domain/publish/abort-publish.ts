import type { ApplyVerb } from "../command/apply-verb.ts";
import type { FeedEvent } from "../command/feed-entry.ts";
import { type StateChange, stateKey } from "../command/state-view.ts";
import { configChanged, toConfigHead } from "../config/config-changed.ts";
import { fullName } from "../config/config-name.ts";
import type { Config } from "../config/config.ts";
import { findPublish } from "./find-publish.ts";
import { type GateStop, type PublishCause, type PublishPlan, publishStatus } from "./publish-plan.ts";
import { withoutPlanRules } from "./publish-rules.ts";
import { publishChanged, writePublish } from "./write-publish.ts";

/** Ends a plan and takes its rules away (P5): everyone gets the version before. Its version stays, named by no rule. */
export const abortPublish: ApplyVerb<"abort_publish"> = ({ state, command, index, timestampMs }) => {
  const found = findPublish(state, command, command.payload.publish_id, "aborted");
  if (!found.ok) return found;
  const { publish } = found;
  const aborted = endPublish(publish, "by_hand", { index, timestampMs });
  const config: Config = {
    ...found.config,
    releases: withoutPlanRules(found.config.releases, publish.id),
    updated_at_ms: timestampMs,
    revision: index,
  };
  return {
    ok: true,
    changes: [{ op: "put_json", key: stateKey.config(config.id), value: config }, ...aborted.changes],
    events: [configChanged(state, config), ...aborted.events],
    result: { publish: aborted.publish, config: toConfigHead(config) },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `publish ${publish.id}: ${publishStatus(publish)} to aborted`,
    },
  };
};

/** Writes and events that end a running plan, of the gate that ends it, too. Its rules are the caller's to take out of the config. */
export function endPublish(
  running: PublishPlan,
  cause: PublishCause,
  at: { index: number; timestampMs: number },
  stop?: GateStop,
): { publish: PublishPlan; changes: StateChange[]; events: FeedEvent[] } {
  const { pause: _over, ...plan } = running;
  const publish: PublishPlan = {
    ...plan,
    ...(stop === undefined ? {} : { stopped_by: stop }),
    state: "aborted",
    updated_at_ms: at.timestampMs,
    ended_at_ms: at.timestampMs,
    revision: at.index,
  };
  return {
    publish,
    changes: writePublish(running, publish),
    events: [publishChanged(running, publish, cause, stop?.reason)],
  };
}

/** What ending the plan of a config takes, when one runs: nothing otherwise. */
export function endRunningPublish(
  running: PublishPlan | null,
  cause: PublishCause,
  at: { index: number; timestampMs: number },
): { changes: StateChange[]; events: FeedEvent[]; note: string } {
  if (running === null) return { changes: [], events: [], note: "" };
  const { changes, events } = endPublish(running, cause, at);
  return { changes, events, note: `; ended publish ${running.id}` };
}
