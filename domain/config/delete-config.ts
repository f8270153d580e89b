import { type ApplyVerb } from "../command/apply-verb.ts";
import { scanAll, VERSIONS_PAGE } from "../command/scan-all.ts";
import { type StateChange, stateKey } from "../command/state-view.ts";
import { endPublish } from "../publish/abort-publish.ts";
import { findRunningPublish } from "../publish/find-publish.ts";
import { fullName } from "./config-name.ts";
import type { ConfigVersion, DeletedConfig } from "./config.ts";
import { countOneLess } from "./count-configs.ts";
import { findConfig } from "./find-config.ts";
import { releaseBlobs } from "./write-version.ts";

/**
 * Deletes a config with all its versions, its publish plans and those bytes that no other config shares (C10). The feed
 * keeps a tombstone, and says that a running plan has ended.
 */
export const deleteConfig: ApplyVerb<"delete_config"> = ({ state, command, index, timestampMs }) => {
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
    ...countOneLess(state, namespace.tenant),
  ];
  const owner = found.config.bundle?.id;
  if (owner !== undefined)
    changes.push({ op: "delete", key: stateKey.bundleConfig(namespace.tenant, owner, id) });
  const counts = new Map<string, number>();
  for (const { key, value } of scanAll(state, stateKey.versionPrefix(id), undefined, VERSIONS_PAGE)) {
    const { sha256 } = value as ConfigVersion;
    counts.set(sha256, (counts.get(sha256) ?? 0) + 1);
    changes.push({ op: "delete", key });
  }
  const removed = stateKey.removedVersions(id);
  if (state.hasKey(removed)) changes.push({ op: "delete", key: removed });
  const running = findRunningPublish(state, id);
  const ended = running === null ? null : endPublish(running, "config_deleted", { index, timestampMs });
  changes.push(...(ended?.changes ?? []));
  for (const { key, value } of scanAll(state, stateKey.publishByConfigPrefix(id))) {
    changes.push({ op: "delete", key }, { op: "delete", key: stateKey.publish(value as string) });
  }
  return {
    ok: true,
    changes: [...changes, ...releaseBlobs(state, namespace.tenant, counts)],
    events: [{ type: "config_deleted", config_id: id, namespace, name }, ...(ended?.events ?? [])],
    result: { config_id: id },
    audit: {
      action: "delete",
      resource: fullName(namespace, name),
      summary: "deleted with all its versions",
    },
  };
};
