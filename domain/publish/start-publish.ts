import { type ApplyInput, type ApplyVerb, type Refusal, refuse } from "../command/apply-verb.ts";
import { scanAll } from "../command/scan-all.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import { configChanged, toConfigHead } from "../config/config-changed.ts";
import { fullName } from "../config/config-name.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { findConfig } from "../config/find-config.ts";
import { checkVersionInput, sealOf, writeVersion } from "../config/write-version.ts";
import { DESCRIPTION_BYTES_MAX, PUBLISHES_KEPT_MAX, RULES_MAX } from "../limits.ts";
import { defaultVersion, withDefault } from "../release-rule/default-rule.ts";
import { countLabels } from "../release-rule/release-rule.ts";
import { utf8Length } from "../utf8-length.ts";
import { checkPublishStages } from "./check-publish-stages.ts";
import { findRunningPublish, refuseWhileRunning } from "./find-publish.ts";
import { publishIdOf, type PublishPlan, publishStatus } from "./publish-plan.ts";
import { withStageRule } from "./publish-rules.ts";
import { publishChanged, writePublish } from "./write-publish.ts";

type Input = ApplyInput<"start_publish">;

/**
 * Begins a publish plan (C7): makes its version, unless it names one, and puts the rule of its first stage, or without
 * stages the default rule, in one command, so that no version is left without its plan. Refuses `publish_running` while
 * another plan of the config runs (P6).
 */
export const startPublish: ApplyVerb<"start_publish"> = (input) => {
  const { state, command, index, timestampMs } = input;
  const { payload } = command;
  const found = findConfig(state, command, payload.config_id);
  if (!found.ok) return found;
  const running = findRunningPublish(state, found.config.id);
  if (running !== null) return refuseWhileRunning(running);
  const stages = checkPublishStages(payload);
  if (!stages.ok) return stages;
  const version = takeVersion(input, found.config);
  if (!version.ok) return version;

  const first = stages.stages[0];
  const plan: PublishPlan = {
    id: publishIdOf(found.config.id, index),
    config_id: found.config.id,
    namespace: found.config.namespace,
    name: found.config.name,
    version_id: version.versionId,
    previous_version_id: defaultVersion(found.config.releases),
    description: payload.description,
    strategy: payload.strategy,
    state: first === undefined ? "full" : "baking",
    stages: stages.stages.map((stage) => ({ ...stage, started_at_ms: timestampMs })),
    stage: first === undefined ? 0 : 1,
    creator: command.actor.name,
    created_at_ms: timestampMs,
    updated_at_ms: timestampMs,
    ended_at_ms: first === undefined ? timestampMs : null,
    revision: index,
  };
  const before = found.config.releases;
  const releases =
    first === undefined ? withDefault(before, plan.version_id) : withStageRule(before, plan, first);
  if (releases.length > RULES_MAX) {
    const message = `a config has at most ${RULES_MAX} rules, and the plan needs one`;
    return refuse("validation_failed", "there is no room for the plan's rule", [{ path: "", message }]);
  }
  const config: Config = {
    ...found.config,
    releases,
    latest_version_id: Math.max(found.config.latest_version_id, plan.version_id),
    updated_at_ms: timestampMs,
    revision: index,
  };
  return {
    ok: true,
    changes: [
      { op: "put_json", key: stateKey.config(config.id), value: config },
      ...version.changes,
      ...dropOldest(state, config.id),
      ...writePublish(null, plan),
    ],
    events: [
      configChanged(state, config, version.fresh && [version.fresh]),
      publishChanged(null, plan, "by_hand"),
    ],
    result: { publish: plan, config: toConfigHead(config), warnings: warnOfRules(config, plan) },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `began publish ${plan.id} of version ${plan.version_id}: ${publishStatus(plan)}`,
    },
  };
};

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
      const message = `versions are 1 to ${config.latest_version_id}`;
      return refuse("validation_failed", `no version ${version_id}`, [{ path: "/version_id", message }]);
    }
    return { ok: true, versionId: version_id, changes: [] };
  }
  if (version_id !== null) {
    const message = "give content or a version, not both";
    return refuse("validation_failed", message, [{ path: "/version_id", message }]);
  }
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
