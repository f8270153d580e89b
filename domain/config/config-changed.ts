import type { ConfigHead, VersionHead } from "../command/command-result.ts";
import type { ConfigChanged, Variant } from "../command/feed-entry.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config, ConfigVersion } from "./config.ts";

/**
 * What the edge must know of `config`: its rules and exactly the versions they name. `fresh` are versions that are
 * being written and not yet so in `state`. Throws when a rule names a version that is not there: that is a broken
 * invariant, and serving on would spread it.
 */
export function configChanged(
  state: StateView,
  config: Config,
  fresh: readonly ConfigVersion[] = [],
): ConfigChanged {
  const writing = new Map(fresh.map((version) => [version.version_id, version]));
  const ids = [...new Set(config.releases.map((rule) => rule.version_id))].toSorted((a, b) => a - b);
  return {
    type: "config_changed",
    config_id: config.id,
    namespace: config.namespace,
    name: config.name,
    encrypted: config.encrypted,
    latest_version_id: config.latest_version_id,
    releases: config.releases,
    variants: ids.map((id) => toVariant(writing.get(id) ?? readVersion(state, config, id))),
  };
}

function readVersion(state: StateView, config: Config, versionId: number): ConfigVersion {
  const version = state.json(stateKey.version(config.id, versionId)) as ConfigVersion | undefined;
  if (version === undefined)
    throw new Error(`a rule of ${config.id} names version ${versionId}, which is missing`);
  return version;
}

function toVariant({ version_id, sha256, content_bytes, format }: ConfigVersion): Variant {
  return { version_id, sha256, content_bytes, format };
}

export function toConfigHead({ schema: _schema, ...head }: Config): ConfigHead {
  return head;
}

export function toVersionHead({ schema: _schema, ...head }: ConfigVersion): VersionHead {
  return head;
}
