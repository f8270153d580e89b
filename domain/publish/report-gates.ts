import { type ApplyInput, type ApplyVerb, refuse } from "../command/apply-verb.ts";
import type { FeatureOutcome } from "../command/command-result.ts";
import { stateKey } from "../command/state-view.ts";
import { configChanged } from "../config/config-changed.ts";
import { fullName } from "../config/config-name.ts";
import type { Config } from "../config/config.ts";
import { PAUSE_MINUTES_DEFAULT } from "../limits.ts";
import { endPublish } from "./abort-publish.ts";
import { findPublish } from "./find-publish.ts";
import { findFailed, type GateOutcome, knownOutcomes, openGates, sayOutcomes } from "./publish-gate.ts";
import {
  currentStage,
  type GateStop,
  type PublishPlan,
  type PublishStage,
  publishStatus,
} from "./publish-plan.ts";
import { withoutPlanRules } from "./publish-rules.ts";
import { publishChanged, rewritePublish, writePublish } from "./write-publish.ts";

type At = Pick<ApplyInput<"report_gates">, "state" | "index" | "timestampMs">;

/**
 * Takes down what the gates of a stage say (P5). One that fails pauses the plan, for PAUSE_MINUTES_DEFAULT at most, or
 * aborts it, whichever the gate asks for, in the middle of the bake time, too; an abort goes before a pause. Approvals are as the
 * log has them, whatever is reported. Verdicts that are as before change nothing. Refuses `invalid_transition` for a plan that
 * does not bake, is in another stage, or whose stage has no gates that count.
 */
export const reportGates: ApplyVerb<"report_gates"> = ({ state, command, index, timestampMs }) => {
  const { publish_id, expected_stage, outcomes: reported } = command.payload;
  const found = findPublish(state, command, publish_id, "paused");
  if (!found.ok) return found;
  const { publish, config } = found;
  const stage = currentStage(publish);
  const gates = openGates(stage);
  if (publish.stage !== expected_stage || stage === undefined || gates.length === 0) {
    const detail = `the publish is in ${publishStatus(publish)}, whose gates are not asked`;
    return refuse("invalid_transition", detail);
  }
  if (reported.length !== gates.length) {
    const message = `one for each of ${gates.length} gates`;
    return refuse("validation_failed", "the report is not of these gates", [{ path: "/outcomes", message }]);
  }
  const outcomes = knownOutcomes(stage, reported);
  const failed = findFailed(gates, outcomes);
  if (failed === null && isAsBefore(stage, outcomes)) {
    return { ok: true, changes: [], events: [], result: { publish }, audit: null };
  }
  const noted: PublishPlan = {
    ...withOutcomes(publish, outcomes),
    updated_at_ms: timestampMs,
    revision: index,
  };
  if (failed !== null) {
    const { gate, reason } = failed;
    const stop: GateStop = { gate: gate.type, reason, at_ms: timestampMs };
    const stopped = { publish, noted, config, stop };
    return gate.on_fail === "abort"
      ? abortByGate({ state, index, timestampMs }, stopped)
      : pauseByGate(stopped, timestampMs);
  }
  const said = sayOutcomes(gates, outcomes);
  return {
    ok: true,
    changes: rewritePublish(publish, noted),
    events: [],
    result: { publish: noted },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `publish ${publish.id}: gates of ${publishStatus(publish)}: ${said || "all hold"}`,
    },
  };
};

function isAsBefore({ gate_outcomes: before }: PublishStage, outcomes: readonly GateOutcome[]): boolean {
  return before !== undefined && outcomes.every(({ verdict }, i) => verdict === before[i]?.verdict);
}

function withOutcomes(publish: PublishPlan, gate_outcomes: GateOutcome[]): PublishPlan {
  const stages = publish.stages.map((stage, i) =>
    i === publish.stage - 1 ? { ...stage, gate_outcomes } : stage,
  );
  return { ...publish, stages };
}

interface Stopped {
  publish: PublishPlan;
  /** The same with what its gates say. */
  noted: PublishPlan;
  config: Config;
  stop: GateStop;
}

function pauseByGate(
  { publish, noted, stop }: Omit<Stopped, "config">,
  timestampMs: number,
): FeatureOutcome<"report_gates"> {
  const after: PublishPlan = {
    ...noted,
    state: "paused",
    pause: {
      started_at_ms: timestampMs,
      ends_at_ms: timestampMs + PAUSE_MINUTES_DEFAULT * 60_000,
      on_timeout: "abort",
    },
    stopped_by: stop,
  };
  return {
    ok: true,
    changes: writePublish(publish, after),
    events: [publishChanged(publish, after, "gate_failed", stop.reason)],
    result: { publish: after },
    audit: auditOf(publish, after, stop),
  };
}

function abortByGate(
  { state, index, timestampMs }: At,
  { publish, noted, config, stop }: Stopped,
): FeatureOutcome<"report_gates"> {
  const ended = endPublish(publish, "gate_failed", { index, timestampMs }, stop);
  const aborted: PublishPlan = { ...ended.publish, stages: noted.stages };
  const after: Config = {
    ...config,
    releases: withoutPlanRules(config.releases, publish.id),
    updated_at_ms: timestampMs,
    revision: index,
  };
  return {
    ok: true,
    changes: [
      { op: "put_json", key: stateKey.config(config.id), value: after },
      ...writePublish(publish, aborted),
    ],
    events: [configChanged(state, after), ...ended.events],
    result: { publish: aborted },
    audit: auditOf(publish, aborted, stop),
  };
}

function auditOf(before: PublishPlan, after: PublishPlan, { gate, reason }: GateStop) {
  return {
    action: "publish" as const,
    resource: fullName(after.namespace, after.name),
    summary: `publish ${after.id}: ${publishStatus(before)} to ${publishStatus(after)} (gate_failed, ${gate}: ${reason})`,
  };
}
