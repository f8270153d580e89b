import { scanAll, VERSIONS_PAGE } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config, ConfigVersion, Retention } from "../config/config.ts";
import { LIST_SCAN_MAX, PRUNE_BYTES_MAX, PRUNE_VERSIONS_MAX } from "../limits.ts";
import { countRemoved, readRemovedRanges } from "./removed-versions.ts";
import { versionHolds } from "./version-holds.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** How old a version is, by number and by time. */
export interface VersionAge {
  /** Versions of its config that are there and newer. */
  newer: number;
  /** When the next newer one was made; null for the newest. */
  replacedAtMs: number | null;
  /** When a publish plan put another in its place. */
  deprecatedAtMs?: number | undefined;
}

/**
 * Whether a retention keeps a version no longer (C10): it is past every limit that is set. `count` keeps so many of the
 * newest versions; `days` keeps a version for so long after it was replaced, by a newer version or by a publish.
 */
export function isPastRetention(retention: Retention | null, age: VersionAge, nowMs: number): boolean {
  const { count, days } = retention ?? {};
  if ((count === undefined && days === undefined) || age.replacedAtMs === null) return false;
  if (count !== undefined && age.newer < count) return false;
  if (days === undefined) return true;
  return nowMs - Math.max(age.replacedAtMs, age.deprecatedAtMs ?? 0) >= days * DAY_MS;
}

/**
 * Versions of a config that are past its retention and that nothing holds, the oldest first: as many as one command
 * removes. Empty when there are none; otherwise ask again once these are gone.
 */
export function findDueVersions(state: StateView, config: Config, nowMs: number): ConfigVersion[] {
  const { id, retention, latest_version_id: latest } = config;
  if (retention === null) return [];
  const total = latest - countRemoved(readRemovedRanges(state, id));
  const holdOf = versionHolds(state, config, { nowMs });
  const due: ConfigVersion[] = [];
  let bytes = 0;
  let seen = 0;
  let version: ConfigVersion | null = null;
  for (const { value } of scanAll(state, stateKey.versionPrefix(id), undefined, VERSIONS_PAGE)) {
    const next = value as ConfigVersion;
    if (version !== null) {
      const age = { newer: total - seen, replacedAtMs: next.created_at_ms };
      // Whatever comes behind it is newer.
      if (!isPastRetention(retention, age, nowMs) || seen === LIST_SCAN_MAX) return due;
      const isDue = isPastRetention(retention, { ...age, deprecatedAtMs: version.deprecated_at_ms }, nowMs);
      if (isDue && holdOf(version) === null) {
        bytes += version.content_bytes;
        if (due.length > 0 && bytes > PRUNE_BYTES_MAX) return due;
        due.push(version);
        if (due.length === PRUNE_VERSIONS_MAX) return due;
      }
    }
    version = next;
    seen += 1;
  }
  return due;
}
