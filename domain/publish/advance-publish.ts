import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { configChanged, toConfigHead } from "../config/config-changed.ts";
import { fullName } from "../config/config-name.ts";
import type { Config } from "../config/config.ts";
import { withDefault } from "../release-rule/default-rule.ts";
import { deprecateReplaced } from "./deprecate-replaced.ts";
import { findPublish } from "./find-publish.ts";
import { guardGates } from "./guard-gates.ts";
import type { GatesSkipped } from "./publish-gate.ts";
import { bakedAtMs, type PublishPlan, publishStatus } from "./publish-plan.ts";
import { withoutPlanRules, withPlanRules } from "./publish-rules.ts";
import { publishChanged, writePublish } from "./write-publish.ts";

/**
 * Takes a plan past the stage that bakes (P4): to the next one, whose rule joins those of the stages before, or from the
 * last to everyone, when the default rule names its version and its own rules go. Refuses `invalid_transition` for a plan
 * that is paused, has ended or is in another stage than the caller believes, and, when the cause is the bake time, for one
 * that has not baked by the log's time. Gates of the stage hold it back as `guardGates` says.
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
  const dueAtMs = bakedAtMs(publish);
  if (cause === "bake_over" && (dueAtMs === null || timestampMs < dueAtMs)) {
    return refuse("invalid_transition", `${publishStatus(publish)} has not baked yet`);
  }
  const gates = guardGates(publish, command.payload);
  if (!gates.ok) return gates;
  const { reason } = gates;
  const skipped = reason === null ? undefined : { by: command.actor, at_ms: timestampMs, reason };
  const after = nextOf(publish, { index, timestampMs, skipped });
  const { releases } = found.config;
  const config: Config = {
    ...found.config,
    releases:
      after.state === "full"
        ? withDefault(withoutPlanRules(releases, publish.id), publish.version_id)
        : withPlanRules(releases, after),
    updated_at_ms: timestampMs,
    revision: index,
  };
  const replaced = deprecateReplaced(state, after, { index, timestampMs });
  return {
    ok: true,
    changes: [
      { op: "put_json", key: stateKey.config(config.id), value: config },
      ...replaced.changes,
      ...writePublish(publish, after),
    ],
    events: [
      configChanged(state, config),
      publishChanged(publish, after, cause, skipped?.reason),
      ...replaced.events,
    ],
    result: { publish: after, config: toConfigHead(config) },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `publish ${publish.id}: ${publishStatus(publish)} to ${publishStatus(after)} (${cause})${reason === null ? "" : `, past its gates (${reason})`}`,
    },
  };
};

/** The plan in its next stage, or full after the last. */
function nextOf(
  publish: PublishPlan,
  at: { index: number; timestampMs: number; skipped: GatesSkipped | undefined },
): PublishPlan {
  const { skipped } = at;
  const left = publish.stages.map((stage, i) =>
    skipped !== undefined && i === publish.stage - 1 ? { ...stage, gates_skipped: skipped } : stage,
  );
  const moved = { ...publish, stages: left, updated_at_ms: at.timestampMs, revision: at.index };
  if (publish.stage === publish.stages.length) {
    return { ...moved, state: "full", ended_at_ms: at.timestampMs };
  }
  const stages = left.map((stage, i) =>
    i === publish.stage ? { ...stage, started_at_ms: at.timestampMs } : stage,
  );
  return { ...moved, stages, stage: publish.stage + 1 };
}
