import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { fullName } from "../config/config-name.ts";
import { PAUSE_MINUTES_MAX, PAUSE_MINUTES_MIN } from "../limits.ts";
import { findPublish } from "./find-publish.ts";
import { type PublishPlan, publishStatus } from "./publish-plan.ts";
import { publishChanged, writePublish } from "./write-publish.ts";

/**
 * Halts a plan where it is (P5): who has the new version keeps it, nobody else gets it, and the bake time stands still until
 * the plan is resumed. After `minutes` the pause counts as forgotten and ends as `on_timeout` says. Refuses `invalid_transition`
 * for a plan that does not bake or is in another stage than the caller believes.
 */
export const pausePublish: ApplyVerb<"pause_publish"> = ({ state, command, index, timestampMs }) => {
  const { publish_id, expected_stage, minutes, on_timeout } = command.payload;
  const found = findPublish(state, command, publish_id, "paused");
  if (!found.ok) return found;
  const { publish, config } = found;
  if (publish.stage !== expected_stage) {
    const detail = `the publish is in ${publishStatus(publish)}, not stage${expected_stage}`;
    return refuse("invalid_transition", detail);
  }
  if (!(minutes >= PAUSE_MINUTES_MIN && minutes <= PAUSE_MINUTES_MAX)) {
    const message = `${PAUSE_MINUTES_MIN} to ${PAUSE_MINUTES_MAX} minutes`;
    return refuse("validation_failed", "the pause is not valid", [{ path: "/max_minutes", message }]);
  }
  const after: PublishPlan = {
    ...publish,
    state: "paused",
    pause: {
      started_at_ms: timestampMs,
      ends_at_ms: timestampMs + Math.round(minutes * 60_000),
      on_timeout,
    },
    updated_at_ms: timestampMs,
    revision: index,
  };
  return {
    ok: true,
    changes: writePublish(publish, after),
    events: [publishChanged(publish, after, "by_hand")],
    result: { publish: after },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `publish ${publish.id}: paused in ${publishStatus(publish)}, for ${minutes} minutes at most, then ${on_timeout}`,
    },
  };
};
