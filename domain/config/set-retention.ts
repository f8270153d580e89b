import type { ApplyVerb } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { configChanged, toConfigHead } from "./config-changed.ts";
import { fullName } from "./config-name.ts";
import type { Config, Retention } from "./config.ts";
import { findConfig } from "./find-config.ts";

/** Sets which old versions of a config are kept (C10); null: all of them. Removes none by itself: that is `pruneVersions`. */
export const setRetention: ApplyVerb<"set_retention"> = ({ state, command, index, timestampMs }) => {
  const { config_id, retention } = command.payload;
  const found = findConfig(state, command, config_id);
  if (!found.ok) return found;
  const config: Config = { ...found.config, retention, updated_at_ms: timestampMs, revision: index };
  return {
    ok: true,
    changes: [{ op: "put_json", key: stateKey.config(config.id), value: config }],
    events: [configChanged(state, config)],
    result: { config: toConfigHead(config) },
    audit: {
      action: "write",
      resource: fullName(config.namespace, config.name),
      summary: `set the retention from ${say(found.config.retention)} to ${say(retention)}`,
    },
  };
};

function say(retention: Retention | null): string {
  const { count, days } = retention ?? {};
  const parts = [
    count === undefined ? [] : `${count} versions`,
    days === undefined ? [] : `${days} days`,
  ].flat();
  return parts.length === 0 ? "all versions" : parts.join(" and ");
}
