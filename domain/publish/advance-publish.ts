import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { configChanged, toConfigHead } from "../config/config-changed.ts";
import { fullName } from "../config/config-name.ts";
import type { Config } from "../config/config.ts";
import { withDefault } from "../release-rule/default-rule.ts";
import { findPublish } from "./find-publish.ts";
import { type PublishPlan, publishDueAtMs, publishStatus } from "./publish-plan.ts";
import { withoutPlanRules } from "./publish-rules.ts";
import { publishChanged, writePublish } from "./write-publish.ts";

/**
 * Takes a plan past the stage that bakes (P4): the default rule names its version, and its own rules go. Refuses
 * `invalid_transition` for a plan that has ended or is in another stage than the caller believes, and, when the cause is
 * the bake time, for one that has not baked by the log's time.
 */
export const advancePublish: ApplyVerb<"advance_publish"> = ({ state, command, index, timestampMs }) => {
  const { publish_id, expected_stage, cause } = command.payload;
  const found = findPublish(state, command, publish_id, "full");
  if (!found.ok) return found;
  const { publish } = found;
  if (publish.stage !== expected_stage) {
    return refuse(
      "invalid_transition",
      `the publish is in ${publishStatus(publish)}, not stage${expected_stage}`,
    );
  }
  const dueAtMs = publishDueAtMs(publish);
  if (cause === "bake_over" && (dueAtMs === null || timestampMs < dueAtMs)) {
    return refuse("invalid_transition", `${publishStatus(publish)} has not baked yet`);
  }
  const after: PublishPlan = {
    ...publish,
    state: "full",
    updated_at_ms: timestampMs,
    ended_at_ms: timestampMs,
    revision: index,
  };
  const config: Config = {
    ...found.config,
    releases: withDefault(withoutPlanRules(found.config.releases, publish.id), publish.version_id),
    updated_at_ms: timestampMs,
    revision: index,
  };
  return {
    ok: true,
    changes: [
      { op: "put_json", key: stateKey.config(config.id), value: config },
      ...writePublish(publish, after),
    ],
    events: [configChanged(state, config), publishChanged(publish, after, cause)],
    result: { publish: after, config: toConfigHead(config) },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `publish ${publish.id}: ${publishStatus(publish)} to ${publishStatus(after)} (${cause})`,
    },
  };
};
