import { scanAll } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { countRemoved, readRemovedRanges, type RemovedRange, wasRemoved } from "./removed-versions.ts";

/**
 * What must hold of removed versions (C10): each number from 1 to the latest is either there or removed, and only configs
 * that live have removed ones. Answers one sentence for each thing that does not.
 */
export function checkRemovedInvariants(state: StateView): string[] {
  const wrong: string[] = [];
  for (const { key } of scanAll(state, stateKey.removedVersionsPrefix)) {
    const id = key.slice(stateKey.removedVersionsPrefix.length);
    if (!state.hasKey(stateKey.config(id))) wrong.push(`${key} is of no config`);
  }
  for (const { value } of scanAll(state, "c/")) {
    const config = value as Config;
    const ranges = readRemovedRanges(state, config.id);
    wrong.push(...checkRemovedRanges(config, ranges));
    let there = 0;
    for (const row of scanAll(state, stateKey.versionPrefix(config.id))) {
      const { version_id } = row.value as ConfigVersion;
      there += 1;
      if (wasRemoved(ranges, version_id))
        wrong.push(`${config.id}: version ${version_id} is there and removed`);
    }
    const have = there + countRemoved(ranges);
    if (have !== config.latest_version_id) {
      wrong.push(`${config.id}: ${have} of ${config.latest_version_id} versions are there or removed`);
    }
  }
  return wrong;
}

/** The ranges alone, without a look at the versions: for a sample. */
export function checkRemovedRanges(
  { id, latest_version_id: latest }: Pick<Config, "id" | "latest_version_id">,
  ranges: readonly RemovedRange[],
): string[] {
  let after = -1;
  for (const [first, last] of ranges) {
    if (first <= after + 1 || last < first || last >= latest) {
      return [`${id}: the removed versions ${first}-${last} are out of order, or up to the latest`];
    }
    after = last;
  }
  return [];
}
