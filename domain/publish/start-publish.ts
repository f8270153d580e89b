import { type ApplyInput, type ApplyVerb, type Refusal, refuse } from "../command/apply-verb.ts";
import { scanAll } from "../command/scan-all.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import { configChanged, toConfigHead } from "../config/config-changed.ts";
import { fullName } from "../config/config-name.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { findConfig } from "../config/find-config.ts";
import { refuseMisjudged } from "../config/judged-by.ts";
import { checkVersionInput, sealOf, writeVersion } from "../config/write-version.ts";
import { DESCRIPTION_BYTES_MAX, PUBLISHES_KEPT_MAX, RULES_MAX } from "../limits.ts";
import { defaultVersion, withDefault } from "../release-rule/default-rule.ts";
import { countLabels } from "../release-rule/release-rule.ts";
import { refuseMissingVersion } from "../retention/removed-versions.ts";
import { utf8Length } from "../utf8-length.ts";
import { endRunningPublish } from "./abort-publish.ts";
import { checkPublishStages } from "./check-publish-stages.ts";
import { deprecateReplaced } from "./deprecate-replaced.ts";
import { findRunningPublish, refuseWhileRunning } from "./find-publish.ts";
import { publishIdOf, type PublishPlan, type PublishStageInput, publishStatus } from "./publish-plan.ts";
import { withoutPlanRules, withPlanRules } from "./publish-rules.ts";
import { publishChanged, writePublish } from "./write-publish.ts";

type Input = ApplyInput<"start_publish">;

/**
 * Begins a publish plan (C7): makes its version, unless it names one, and puts the rule of its first stage, or without
 * stages the default rule, in one command, so that no version is left without its plan. Refuses `publish_running` while
 * another plan of the config runs (P6), or ends that one when asked to.
 */
export const startPublish: ApplyVerb<"start_publish"> = (input) => {
  const { state, command, index, timestampMs } = input;
  const { payload } = command;
  const found = findConfig(state, command, payload.config_id);
  if (!found.ok) return found;
  const running = findRunningPublish(state, found.config.id);
  if (running !== null && payload.abort_plan !== true) return refuseWhileRunning(running);
  const stages = checkPublishStages(payload);
  if (!stages.ok) return stages;
  const version = takeVersion(input, found.config);
  if (!version.ok) return version;

  const before =
    running === null ? found.config.releases : withoutPlanRules(found.config.releases, running.id);
  const plan = makePlan(input, {
    config: { ...found.config, releases: before },
    versionId: version.versionId,
    stages: stages.stages,
  });
  const rulesNeeded = Math.max(plan.stages.length, defaultVersion(before) === null ? 1 : 0);
  if (before.length + rulesNeeded > RULES_MAX) {
    const message = `a config has at most ${RULES_MAX} rules, and the plan needs ${rulesNeeded}`;
    return refuse("validation_failed", "there is no room for the plan's rules", [{ path: "", message }]);
  }
  const config: Config = {
    ...found.config,
    releases: plan.stage === 0 ? withDefault(before, plan.version_id) : withPlanRules(before, plan),
    latest_version_id: Math.max(found.config.latest_version_id, plan.version_id),
    updated_at_ms: timestampMs,
    revision: index,
  };
  const ended = endRunningPublish(running, "superseded", { index, timestampMs });
  const replaced = deprecateReplaced(state, plan, { index, timestampMs });
  return {
    ok: true,
    changes: [
      { op: "put_json", key: stateKey.config(config.id), value: config },
      ...version.changes,
      ...ended.changes,
      ...replaced.changes,
      // After what may touch one of them.
      ...dropOldest(state, config.id),
      ...writePublish(null, plan),
    ],
    events: [
      configChanged(state, config, version.fresh && [version.fresh]),
      ...ended.events,
      publishChanged(null, plan, "by_hand"),
      ...replaced.events,
    ],
    result: { publish: plan, config: toConfigHead(config), warnings: warnOfRules(config, plan) },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `began publish ${plan.id} of version ${plan.version_id}: ${publishStatus(plan)}${ended.note}`,
    },
  };
};

/** The plan in its first stage; without stages it is full. */
function makePlan(
  { command, index, timestampMs, changeRequestId }: Input,
  { config, versionId, stages }: { config: Config; versionId: number; stages: PublishStageInput[] },
): PublishPlan {
  const { payload } = command;
  const isFull = stages.length === 0;
  return {
    id: publishIdOf(config.id, index),
    config_id: config.id,
    namespace: config.namespace,
    name: config.name,
    version_id: versionId,
    previous_version_id: defaultVersion(config.releases),
    description: payload.description,
    strategy: payload.strategy,
    ...(payload.form === undefined ? {} : { form: payload.form }),
    state: isFull ? "full" : "baking",
    stages: stages.map((stage, i) => ({ ...stage, started_at_ms: i === 0 ? timestampMs : null })),
    stage: isFull ? 0 : 1,
    creator: command.actor.name,
    ...(stages.some(({ gates }) => gates !== undefined) ? { creator_id: command.actor.id } : {}),
    created_at_ms: timestampMs,
    updated_at_ms: timestampMs,
    ended_at_ms: isFull ? timestampMs : null,
    ...(changeRequestId === undefined ? {} : { change_request_id: changeRequestId }),
    revision: index,
  };
}

/** The version to publish: a new one with the writes that make it, or the one that is named. */
function takeVersion(
  { state, command, attachments, timestampMs }: Input,
  config: Config,
): { ok: true; versionId: number; fresh?: ConfigVersion; changes: StateChange[] } | Refusal {
  const { content, version_id, description } = command.payload;
  if (content === null) {
    if (utf8Length(description) > DESCRIPTION_BYTES_MAX) {
      const message = `at most ${DESCRIPTION_BYTES_MAX} bytes`;
      return refuse("validation_failed", "the description is too long", [{ path: "/description", message }]);
    }
    if (version_id === null || !state.hasKey(stateKey.version(config.id, version_id))) {
      return refuseMissingVersion(state, config, version_id ?? 0);
    }
    return { ok: true, versionId: version_id, changes: [] };
  }
  if (version_id !== null) {
    const message = "give content or a version, not both";
    return refuse("validation_failed", message, [{ path: "/version_id", message }]);
  }
  const misjudged = refuseMisjudged(command.payload, config);
  if (misjudged !== null) return misjudged;
  const checked = checkVersionInput({ content, schema: null, description }, attachments, config);
  if (!checked.ok) return checked;
  const fresh: ConfigVersion = {
    config_id: config.id,
    version_id: config.latest_version_id + 1,
    sha256: content.sha256,
    ...sealOf(content),
    content_bytes: checked.bytes.byteLength,
    format: config.format,
    schema: null,
    description,
    creator: command.actor.name,
    created_at_ms: timestampMs,
  };
  const changes = writeVersion(state, command.tenant, fresh, checked.bytes);
  return { ok: true, versionId: fresh.version_id, fresh, changes };
}

/** Writes that make room for one more plan among those kept for a config; none of them runs. */
function dropOldest(state: StateView, configId: string): StateChange[] {
  const rows = [...scanAll(state, stateKey.publishByConfigPrefix(configId))];
  return rows.slice(PUBLISHES_KEPT_MAX - 1).flatMap(({ key, value }): StateChange[] => [
    { op: "delete", key },
    { op: "delete", key: stateKey.publish(value as string) },
  ]);
}

/** What a user wrote stays as it is, so not everyone may get the version in the end. */
function warnOfRules({ releases }: Config, plan: PublishPlan): string[] {
  const others = releases.filter(
    (rule) =>
      rule.publish_id === undefined &&
      rule.version_id !== plan.version_id &&
      (countLabels(rule) > 0 || rule.edge !== undefined),
  ).length;
  if (others === 0) return [];
  return [
    `${others} release rules with labels, conditions or regions name other versions; they stay, and hold again when the plan is full`,
  ];
}
