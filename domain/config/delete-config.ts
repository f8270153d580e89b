import { type ApplyVerb } from "../command/apply-verb.ts";
import { scanAll } from "../command/scan-all.ts";
import { type StateChange, stateKey } from "../command/state-view.ts";
import { fullName } from "./config-name.ts";
import type { ConfigVersion, DeletedConfig } from "./config.ts";
import { findConfig } from "./find-config.ts";
import { releaseBlobs } from "./write-version.ts";

/** Deletes a config with all its versions and those bytes that no other config shares (C10). The feed keeps a tombstone. */
export const deleteConfig: ApplyVerb<"delete_config"> = ({ state, command }) => {
  const found = findConfig(state, command, command.payload.config_id);
  if (!found.ok) return found;
  const { id, namespace, name } = found.config;
  const changes: StateChange[] = [
    { op: "delete", key: stateKey.config(id) },
    {
      op: "put_json",
      key: stateKey.deletedConfig(id),
      value: { id, namespace, name } satisfies DeletedConfig,
    },
    { op: "delete", key: stateKey.configByName(namespace.tenant, namespace.app, namespace.env, name) },
  ];
  const counts = new Map<string, number>();
  for (const { key, value } of scanAll(state, stateKey.versionPrefix(id))) {
    const { sha256 } = value as ConfigVersion;
    counts.set(sha256, (counts.get(sha256) ?? 0) + 1);
    changes.push({ op: "delete", key });
  }
  return {
    ok: true,
    changes: [...changes, ...releaseBlobs(state, namespace.tenant, counts)],
    events: [{ type: "config_deleted", config_id: id, namespace, name }],
    result: { config_id: id },
    audit: {
      action: "delete",
      resource: fullName(namespace, name),
      summary: "deleted with all its versions",
    },
  };
};
