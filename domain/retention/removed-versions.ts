import { type Refusal, refuse } from "../command/apply-verb.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config } from "../config/config.ts";

/** Numbers of removed versions, first and last. */
export type RemovedRange = [first: number, last: number];

/**
 * What remains of removed versions: their numbers, as ascending ranges that do not touch. It grows with the versions that
 * stay between them, not with those that went. A number that is neither there nor in it was never given.
 */
export interface RemovedVersions {
  ranges: RemovedRange[];
}

export function readRemovedRanges(state: StateView, configId: string): readonly RemovedRange[] {
  const removed = state.json(stateKey.removedVersions(configId)) as RemovedVersions | undefined;
  return removed?.ranges ?? [];
}

export function wasRemoved(ranges: readonly RemovedRange[], versionId: number): boolean {
  return rangeOf(ranges, versionId) !== undefined;
}

/** How many were removed, of those whose number is over `above`. */
export function countRemoved(ranges: readonly RemovedRange[], above = 0): number {
  return ranges.reduce((sum, [first, last]) => sum + Math.max(0, last - Math.max(first, above + 1) + 1), 0);
}

/** The largest number up to `versionId` that was not removed; 0 when there is none. */
export function lastNotRemoved(ranges: readonly RemovedRange[], versionId: number): number {
  const range = rangeOf(ranges, versionId);
  return range === undefined ? versionId : range[0] - 1;
}

/** The smallest number from `versionId` on that was not removed. */
export function firstNotRemoved(ranges: readonly RemovedRange[], versionId: number): number {
  const range = rangeOf(ranges, versionId);
  return range === undefined ? versionId : range[1] + 1;
}

/** The ranges with these numbers in them, too. */
export function withRemoved(ranges: readonly RemovedRange[], versionIds: readonly number[]): RemovedRange[] {
  const all = [...ranges, ...versionIds.map((id): RemovedRange => [id, id])].toSorted((a, b) => a[0] - b[0]);
  const merged: RemovedRange[] = [];
  for (const [first, last] of all) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

/** For people: `2-7, 9`. */
export function sayVersions(versionIds: readonly number[]): string {
  const ranges = withRemoved([], versionIds);
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
}

/** Why a version is not there, for whoever names it. */
export function sayMissingVersion(state: StateView, configId: string, versionId: number): string {
  return wasRemoved(readRemovedRanges(state, configId), versionId)
    ? `version ${versionId} was archived and removed by the config's retention`
    : `no version ${versionId}`;
}

/** The refusal of a version that a command names and that is not there: of one that was removed nothing else than that. */
export function refuseMissingVersion(state: StateView, config: Config, versionId: number): Refusal {
  const detail = sayMissingVersion(state, config.id, versionId);
  const isRemoved = wasRemoved(readRemovedRanges(state, config.id), versionId);
  const message = isRemoved ? detail : `versions are 1 to ${config.latest_version_id}`;
  return refuse("validation_failed", detail, [{ path: "/version_id", message }]);
}

function rangeOf(ranges: readonly RemovedRange[], versionId: number): RemovedRange | undefined {
  return ranges.find(([first, last]) => first <= versionId && versionId <= last);
}
