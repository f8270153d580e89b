import type { ApplyVerb } from "../command/apply-verb.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import { fullName } from "../config/config-name.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { findConfig } from "../config/find-config.ts";
import { releaseBlobs } from "../config/write-version.ts";
import { isPastRetention, type VersionAge } from "./due-versions.ts";
import type { KeptVersion } from "./kept-version.ts";
import {
  countRemoved,
  firstNotRemoved,
  readRemovedRanges,
  type RemovedRange,
  type RemovedVersions,
  sayVersions,
  withRemoved,
} from "./removed-versions.ts";
import { versionHolds } from "./version-holds.ts";

/**
 * Removes versions by their config's retention (C10), with those bytes that nothing else shares. Passes over each that
 * the state holds, keeps, or has otherwise than it was archived: what was decided after the archive was written counts.
 * Their numbers stay taken, and neither the config's revision nor what clients get changes.
 */
export const pruneVersions: ApplyVerb<"prune_versions"> = ({ state, command, timestampMs }) => {
  const { config_id, versions, archive, form } = command.payload;
  const found = findConfig(state, command, config_id);
  if (!found.ok) return found;
  const { config } = found;
  const ranges = readRemovedRanges(state, config_id);
  const holdOf = versionHolds(state, config, { nowMs: timestampMs, ofOne: form === undefined });
  const removed = new Map<number, ConfigVersion>();
  const kept: KeptVersion[] = [];
  for (const { version_id, sha256 } of versions) {
    const version = state.json(stateKey.version(config_id, version_id)) as ConfigVersion | undefined;
    const keep = (why: KeptVersion["why"]): number => kept.push({ version_id, why });
    if (version === undefined || removed.has(version_id)) keep("gone");
    else if (version.sha256 !== sha256) keep("changed");
    else if (!isPastRetention(config.retention, ageOf(state, config, version, ranges), timestampMs)) {
      keep("not_due");
    } else {
      const hold = holdOf(version);
      if (hold === null) removed.set(version_id, version);
      else keep(hold);
    }
  }
  const result = { config_id, removed: [...removed.keys()], kept };
  if (removed.size === 0) return { ok: true, changes: [], events: [], result, audit: null };
  const said = removed.size === 1 ? "version" : "versions";
  return {
    ok: true,
    changes: removeRows(state, config, [...removed.values()], ranges),
    events: [],
    result,
    audit: {
      action: "delete",
      resource: fullName(config.namespace, config.name),
      summary: `removed ${said} ${sayVersions(result.removed)} by the retention, archived below ${archive}`,
    },
  };
};

function ageOf(
  state: StateView,
  config: Config,
  { version_id: id, deprecated_at_ms }: ConfigVersion,
  ranges: readonly RemovedRange[],
): VersionAge {
  const next = state.json(stateKey.version(config.id, firstNotRemoved(ranges, id + 1))) as
    | ConfigVersion
    | undefined;
  return {
    newer: config.latest_version_id - id - countRemoved(ranges, id),
    replacedAtMs: next?.created_at_ms ?? null,
    deprecatedAtMs: deprecated_at_ms,
  };
}

function removeRows(
  state: StateView,
  { id, namespace }: Config,
  versions: readonly ConfigVersion[],
  ranges: readonly RemovedRange[],
): StateChange[] {
  const counts = new Map<string, number>();
  for (const { sha256 } of versions) counts.set(sha256, (counts.get(sha256) ?? 0) + 1);
  const ids = versions.map(({ version_id }) => version_id);
  return [
    ...ids.map((versionId): StateChange => ({ op: "delete", key: stateKey.version(id, versionId) })),
    {
      op: "put_json",
      key: stateKey.removedVersions(id),
      value: { ranges: withRemoved(ranges, ids) } satisfies RemovedVersions,
    },
    ...releaseBlobs(state, namespace.tenant, counts),
  ];
}
