import type { Batch, Entry } from "./raft/types.ts";

/**
 * When entries are applied that a batch says are committed: `during` its write `waiting` and those that were durable before it,
 * `after` it those it brings itself. What lies at or behind a batch's first entry is written anew by it, and behind a snapshot
 * everything is. A batch that writes no entries leaves no time to use: what it commits comes after it, and a turn after that, so
 * that those who are answered share the next batch.
 */
export function splitCommitted(
  { committed, entries, snapshot }: Batch,
  waiting: readonly Entry[],
): { during: readonly Entry[]; after: Entry[] } {
  const [firstWritten] = entries;
  if (snapshot !== null || firstWritten === undefined) return { during: waiting, after: committed };
  const at = committed.findIndex(({ index }) => index >= firstWritten.index);
  const durable = at === -1 ? committed : committed.slice(0, at);
  return { during: waiting.concat(durable), after: committed.slice(durable.length) };
}
