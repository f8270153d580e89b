import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { endRunningPublish } from "../publish/abort-publish.ts";
import { findRunningPublish, refuseWhileRunning } from "../publish/find-publish.ts";
import { checkRules } from "../release-rule/check-rules.ts";
import { sayMissingVersion } from "../retention/removed-versions.ts";
import { configChanged, toConfigHead } from "./config-changed.ts";
import { fullName } from "./config-name.ts";
import type { Config } from "./config.ts";
import { findConfig } from "./find-config.ts";

/**
 * Replaces the whole list of release rules (C4). The list is the request's body: paths of errors begin with its positions.
 * Refuses `publish_running` while a plan runs, or ends that plan when asked to.
 */
export const putReleases: ApplyVerb<"put_releases"> = ({ state, command, index, timestampMs }) => {
  const found = findConfig(state, command, command.payload.config_id);
  if (!found.ok) return found;
  const running = findRunningPublish(state, found.config.id);
  if (running !== null && command.payload.abort_plan !== true) return refuseWhileRunning(running);
  const rules = checkRules({
    rules: command.payload.releases,
    pathPrefix: "",
    versionExists: (id) => state.hasKey(stateKey.version(found.config.id, id)),
    sayMissing: (id) => sayMissingVersion(state, found.config.id, id),
  });
  if (!rules.ok) return refuse("validation_failed", "the release rules are not valid", rules.errors);
  const config: Config = {
    ...found.config,
    releases: rules.rules,
    updated_at_ms: timestampMs,
    revision: index,
  };
  const ended = endRunningPublish(running, "rules_replaced", { index, timestampMs });
  return {
    ok: true,
    changes: [{ op: "put_json", key: stateKey.config(config.id), value: config }, ...ended.changes],
    events: [configChanged(state, config), ...ended.events],
    result: { config: toConfigHead(config), warnings: rules.warnings },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `replaced ${found.config.releases.length} release rules by ${rules.rules.length}${ended.note}`,
    },
  };
};
