import type { ApplyVerb } from "../command/apply-verb.ts";
import type { Rewrapping } from "../command/command.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import { configChanged } from "../config/config-changed.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { releaseBlobs } from "../config/write-version.ts";
import { rewrapEnvelope } from "./envelope-text.ts";

/**
 * Puts other wrapped keys into envelopes (K3): iv, ciphertext and tag stay, and so do `content_sha256` and the version;
 * the config's revision, and with it index and ETag, are new. What is no longer as it was when its key was wrapped (it has
 * been wrapped anew, or is gone) is passed over, so that a repetition does no harm.
 */
export const rewrapKeys: ApplyVerb<"rewrap_keys"> = ({ state, command, index, timestampMs }) => {
  const { resource, items, next_cursor } = command.payload;
  const changes: StateChange[] = [];
  const changed = new Map<string, { config: Config; versions: Map<number, ConfigVersion> }>();
  for (const item of items) {
    const rewrapped = rewrapVersion(state, command.tenant, item);
    if (rewrapped === null) continue;
    const { config, version } = rewrapped;
    const known = changed.get(config.id) ?? {
      config: { ...config, revision: index, updated_at_ms: timestampMs },
      versions: new Map<number, ConfigVersion>(),
    };
    if (known.versions.has(version.version_id)) continue;
    changed.set(config.id, known);
    known.versions.set(version.version_id, version);
    changes.push(...rewrapped.changes);
  }
  for (const { config } of changed.values()) {
    changes.push({ op: "put_json", key: stateKey.config(config.id), value: config });
  }
  const all = [...changed.values()];
  const rewrapped = all.reduce((sum, { versions }) => sum + versions.size, 0);
  return {
    ok: true,
    changes,
    events: all.map(({ config, versions }) => configChanged(state, config, [...versions.values()])),
    result: { rewrapped, next_cursor },
    audit:
      rewrapped === 0
        ? null
        : {
            action: "write",
            resource,
            summary: `wrapped the data keys of ${rewrapped} versions of ${all.length} configs anew`,
          },
  };
};

function rewrapVersion(
  state: StateView,
  tenant: string,
  item: Rewrapping,
): { config: Config; version: ConfigVersion; changes: StateChange[] } | null {
  const config = state.json(stateKey.config(item.config_id)) as Config | undefined;
  const versionKey = stateKey.version(item.config_id, item.version_id);
  const before = state.json(versionKey) as ConfigVersion | undefined;
  if (config === undefined || config.namespace.tenant !== tenant || before?.sealed === undefined) return null;
  if (before.sha256 !== item.from_sha256 || item.to_sha256 === item.from_sha256) return null;
  const envelope = state.bytes(stateKey.blob(tenant, before.sha256));
  const bytes = envelope === undefined ? null : rewrapEnvelope(envelope, item);
  if (bytes === null) return null;
  const version: ConfigVersion = {
    ...before,
    sha256: item.to_sha256,
    content_bytes: bytes.byteLength,
    sealed: { ...before.sealed, key_id: item.key_id },
  };
  return {
    config,
    version,
    changes: [
      { op: "put_json", key: versionKey, value: version },
      // No two versions share an envelope.
      { op: "put_json", key: stateKey.blobRefs(tenant, version.sha256), value: 1 },
      { op: "put_bytes", key: stateKey.blob(tenant, version.sha256), bytes },
      ...releaseBlobs(state, tenant, new Map([[before.sha256, 1]])),
    ],
  };
}
