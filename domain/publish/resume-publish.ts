import { type ApplyInput, type ApplyVerb, refuse } from "../command/apply-verb.ts";
import type { FeatureOutcome } from "../command/command-result.ts";
import { type StateChange, stateKey } from "../command/state-view.ts";
import { configChanged } from "../config/config-changed.ts";
import { fullName } from "../config/config-name.ts";
import type { Config } from "../config/config.ts";
import { endPublish } from "./abort-publish.ts";
import { findPublish } from "./find-publish.ts";
import { checkReason } from "./guard-gates.ts";
import type { GatesSkipped } from "./publish-gate.ts";
import { type PublishCause, type PublishPlan, publishStatus } from "./publish-plan.ts";
import { withoutPlanRules } from "./publish-rules.ts";
import { publishChanged, writePublish } from "./write-publish.ts";

/**
 * Lets a paused plan go on in its stage, whose bake time goes on where it stood (P5). With a reason (`skip_gates`) the stage goes
 * on without its gates, too: else one that failed may fail again at once.
 */
export const resumePublish: ApplyVerb<"resume_publish"> = ({ state, command, index, timestampMs }) => {
  const found = findPublish(state, command, command.payload.publish_id, "baking");
  if (!found.ok) return found;
  if (found.publish.pause === undefined) return refuse("invalid_transition", "the publish is not paused");
  const { skip_gates: reason } = command.payload;
  if (reason === undefined) return resume(found.publish, found.config, "by_hand", { index, timestampMs });
  const wrong = checkReason(reason);
  if (wrong !== null) return wrong;
  const skipped = { by: command.actor, at_ms: timestampMs, reason };
  return resume(found.publish, found.config, "by_hand", { index, timestampMs, skipped });
};

/**
 * Ends a pause that counts as forgotten as it was said when it began: the plan goes on, or is aborted. Refuses
 * `invalid_transition` for a plan that is not paused, is in another pause than the caller believes, or whose pause is not over
 * by the log's time.
 */
export const endPause: ApplyVerb<"end_pause"> = ({ state, command, index, timestampMs }) => {
  const { publish_id, paused_at_ms } = command.payload;
  const found = findPublish(state, command, publish_id, "aborted");
  if (!found.ok) return found;
  const { publish, config } = found;
  const { pause } = publish;
  if (pause === undefined || pause.started_at_ms !== paused_at_ms) {
    return refuse("invalid_transition", `the publish is ${publishStatus(publish)}: that pause is over`);
  }
  if (timestampMs < pause.ends_at_ms) return refuse("invalid_transition", "the pause is not over yet");
  if (pause.on_timeout === "resume") return resume(publish, config, "pause_over", { index, timestampMs });
  const ended = endPublish(publish, "pause_over", { index, timestampMs });
  const after: Config = {
    ...config,
    releases: withoutPlanRules(config.releases, publish.id),
    updated_at_ms: timestampMs,
    revision: index,
  };
  return {
    ok: true,
    changes: [{ op: "put_json", key: stateKey.config(config.id), value: after }, ...ended.changes],
    events: [configChanged(state, after), ...ended.events],
    result: { publish: ended.publish },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `publish ${publish.id}: paused to aborted (pause_over)`,
    },
  };
};

function resume(
  publish: PublishPlan,
  config: Config,
  cause: PublishCause,
  {
    index,
    timestampMs,
    skipped,
  }: Pick<ApplyInput<"resume_publish">, "index" | "timestampMs"> & { skipped?: GatesSkipped },
): FeatureOutcome<"resume_publish" | "end_pause"> {
  const { pause, stopped_by: _by, ...plan } = publish;
  const stoodMs = pause === undefined ? 0 : timestampMs - pause.started_at_ms;
  const after: PublishPlan = {
    ...plan,
    state: "baking",
    stages: plan.stages.map((stage, i) =>
      i === plan.stage - 1
        ? {
            ...stage,
            paused_ms: (stage.paused_ms ?? 0) + stoodMs,
            ...(skipped === undefined ? {} : { gates_skipped: skipped }),
          }
        : stage,
    ),
    updated_at_ms: timestampMs,
    revision: index,
  };
  const changes: StateChange[] = writePublish(publish, after);
  return {
    ok: true,
    changes,
    events: [publishChanged(publish, after, cause, skipped?.reason)],
    result: { publish: after },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `publish ${publish.id}: paused to ${publishStatus(after)} (${cause})${skipped === undefined ? "" : `, without its gates (${skipped.reason})`}`,
    },
  };
}
