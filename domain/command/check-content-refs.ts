import { heldRefs } from "../change-request/check-change-invariants.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { scanAll } from "./scan-all.ts";
import { stateKey, type StateView } from "./state-view.ts";

/**
 * Contents whose references are counted at once, for which 192 MiB of heap are enough: a state with more is read again for each
 * further share of them, so that a drill has room for a state of any size.
 */
const CONTENTS_AT_ONCE_MAX = 1_000_000;
/** Of a key's hash: enough to tell shares apart. */
const SHARE_DIGITS = 8;

/**
 * Each content that versions and open change requests name is there, with their number; no other is. Answers one sentence for
 * each thing that does not hold.
 */
export function checkContentRefs(state: StateView, atOnceMax = CONTENTS_AT_ONCE_MAX): string[] {
  const shares = Math.max(1, Math.ceil(countOf(state, "r/") / atOnceMax));
  // What is no hash at all is of the first share.
  const shareOf = (key: string): number => (Number.parseInt(key.slice(-SHARE_DIGITS), 16) || 0) % shares;
  return Array.from({ length: shares }, (_, share) =>
    checkShare(state, (key) => shareOf(key) === share),
  ).flat();
}

function checkShare(state: StateView, isOfShare: (key: string) => boolean): string[] {
  const wrong: string[] = [];
  const refs = new Map<string, number>();
  for (const key of namedContents(state)) {
    if (isOfShare(key)) refs.set(key, (refs.get(key) ?? 0) + 1);
  }
  for (const { key, value } of scanAll(state, "r/")) {
    if (!isOfShare(key)) continue;
    if (refs.get(key) !== value)
      wrong.push(`${key} is ${String(value)}, versions make it ${refs.get(key) ?? 0}`);
    refs.delete(key);
    if (!state.hasKey(`b/${key.slice(2)}`)) wrong.push(`${key} counts bytes that are missing`);
  }
  for (const key of refs.keys()) wrong.push(`${key} is missing`);
  return wrong;
}

/** Key of the count of references, once for each reference. */
function* namedContents(state: StateView): Generator<string> {
  for (const { value } of scanAll(state, "c/")) {
    const { id, namespace } = value as Config;
    for (const version of scanAll(state, stateKey.versionPrefix(id))) {
      yield stateKey.blobRefs(namespace.tenant, (version.value as ConfigVersion).sha256);
    }
  }
  yield* heldRefs(state);
}

/** How many rows there are under a prefix. */
export function countOf(state: StateView, prefix: string): number {
  let count = 0;
  for (const _ of scanAll(state, prefix)) count += 1;
  return count;
}
