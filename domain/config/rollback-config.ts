import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { RULES_MAX } from "../limits.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";
import { configChanged, toConfigHead } from "./config-changed.ts";
import { fullName } from "./config-name.ts";
import type { Config } from "./config.ts";
import { findConfig } from "./find-config.ts";

/** Points the default rule at an old version, making one when there is none (C6). Other rules stay as they are. */
export const rollbackConfig: ApplyVerb<"rollback"> = ({ state, command, index, timestampMs }) => {
  const { config_id, version_id } = command.payload;
  const found = findConfig(state, command, config_id);
  if (!found.ok) return found;
  if (!state.hasKey(stateKey.version(config_id, version_id))) {
    return refuse("validation_failed", `no version ${version_id}`, [
      { path: "/version_id", message: `versions are 1 to ${found.config.latest_version_id}` },
    ]);
  }
  const releases = withDefault(found.config.releases, version_id);
  if (releases.length > RULES_MAX) {
    return refuse("validation_failed", "there is no room for a default rule", [
      { path: "/version_id", message: `at most ${RULES_MAX} rules` },
    ]);
  }
  const config: Config = { ...found.config, releases, updated_at_ms: timestampMs, revision: index };
  return {
    ok: true,
    changes: [{ op: "put_json", key: stateKey.config(config.id), value: config }],
    events: [configChanged(state, config)],
    result: { config: toConfigHead(config) },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `rolled the default rule back to version ${version_id}`,
    },
  };
};

/**
 * `rules` with their default rule (no labels, no regions; the one of lowest priority) at `versionId`. A new one stands
 * last at priority 0, or at the lowest priority there is when that is negative: it must not shadow any other rule.
 */
function withDefault(rules: readonly ReleaseRule[], versionId: number): ReleaseRule[] {
  let at = -1;
  for (const [i, rule] of rules.entries()) {
    if (Object.keys(rule.labels).length > 0 || rule.edge !== undefined) continue;
    const lowest = rules[at];
    if (lowest === undefined || rule.priority < lowest.priority) at = i;
  }
  if (at >= 0) return rules.map((rule, i) => (i === at ? { ...rule, version_id: versionId } : rule));
  const priority = rules.reduce((lowest, rule) => Math.min(lowest, rule.priority), 0);
  return [...rules, { labels: {}, version_id: versionId, priority }];
}
