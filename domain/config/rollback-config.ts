import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { RULES_MAX } from "../limits.ts";
import { endRunningPublish } from "../publish/abort-publish.ts";
import { findRunningPublish, refuseWhileRunning } from "../publish/find-publish.ts";
import { withoutPlanRules } from "../publish/publish-rules.ts";
import { withDefault } from "../release-rule/default-rule.ts";
import { refuseMissingVersion } from "../retention/removed-versions.ts";
import { configChanged, toConfigHead } from "./config-changed.ts";
import { fullName } from "./config-name.ts";
import type { Config } from "./config.ts";
import { findConfig } from "./find-config.ts";

/**
 * Points the default rule at an old version, making one when there is none (C6). Other rules stay as they are. Refuses
 * `publish_running` while a plan runs, or ends that plan and takes its rules away when asked to.
 */
export const rollbackConfig: ApplyVerb<"rollback"> = ({ state, command, index, timestampMs }) => {
  const { config_id, version_id, abort_plan } = command.payload;
  const found = findConfig(state, command, config_id);
  if (!found.ok) return found;
  const running = findRunningPublish(state, config_id);
  if (running !== null && abort_plan !== true) return refuseWhileRunning(running);
  if (!state.hasKey(stateKey.version(config_id, version_id))) {
    return refuseMissingVersion(state, found.config, version_id);
  }
  const { releases: before } = found.config;
  const rules = running === null ? before : withoutPlanRules(before, running.id);
  const releases = withDefault(rules, version_id);
  if (releases.length > RULES_MAX) {
    return refuse("validation_failed", "there is no room for a default rule", [
      { path: "/version_id", message: `at most ${RULES_MAX} rules` },
    ]);
  }
  const config: Config = { ...found.config, releases, updated_at_ms: timestampMs, revision: index };
  const ended = endRunningPublish(running, "rolled_back", { index, timestampMs });
  return {
    ok: true,
    changes: [{ op: "put_json", key: stateKey.config(config.id), value: config }, ...ended.changes],
    events: [configChanged(state, config), ...ended.events],
    result: { config: toConfigHead(config) },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `rolled the default rule back to version ${version_id}${ended.note}`,
    },
  };
};
