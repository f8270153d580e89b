import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { checkRules } from "../release-rule/check-rules.ts";
import { configChanged, toConfigHead } from "./config-changed.ts";
import { fullName } from "./config-name.ts";
import type { Config } from "./config.ts";
import { findConfig } from "./find-config.ts";

/** Replaces the whole list of release rules (C4). The list is the request's body: paths of errors begin with its positions. */
export const putReleases: ApplyVerb<"put_releases"> = ({ state, command, index, timestampMs }) => {
  const found = findConfig(state, command, command.payload.config_id);
  if (!found.ok) return found;
  const rules = checkRules({
    rules: command.payload.releases,
    pathPrefix: "",
    versionExists: (id) => state.hasKey(stateKey.version(found.config.id, id)),
  });
  if (!rules.ok) return refuse("validation_failed", "the release rules are not valid", rules.errors);
  const config: Config = {
    ...found.config,
    releases: rules.rules,
    updated_at_ms: timestampMs,
    revision: index,
  };
  return {
    ok: true,
    changes: [{ op: "put_json", key: stateKey.config(config.id), value: config }],
    events: [configChanged(state, config)],
    result: { config: toConfigHead(config), warnings: rules.warnings },
    audit: {
      action: "publish",
      resource: fullName(config.namespace, config.name),
      summary: `replaced ${found.config.releases.length} release rules by ${rules.rules.length}`,
    },
  };
};
