import type { Batch, Entry } from "./raft/types.ts";

/**
 * When entries are applied that a batch says are committed: `during` its write `waiting` (from batches before) and those that
 * were durable before it, `after` it those it brings itself. What lies at or behind a batch's first entry is written anew by it,
 * and behind a snapshot everything is.
 *
 * A batch without entries is written at once or seldom: what it commits comes after it, and a turn after that, so that those who
 * are answered share the next batch. And where the thread itself waits for a fast disk (`waits`), nothing is done during that:
 * what is not waiting yet comes after it, behind the messages that others wait for.
 */
export function splitCommitted(
  { committed, entries, snapshot }: Batch,
  waiting: readonly Entry[],
  waits: boolean,
): { during: readonly Entry[]; after: Entry[] } {
  const [firstWritten] = entries;
  const isShort = firstWritten === undefined || (waits && waiting.length === 0);
  if (snapshot !== null || isShort) return { during: waiting, after: committed };
  const at = committed.findIndex(({ index }) => index >= firstWritten.index);
  const durable = at === -1 ? committed : committed.slice(0, at);
  return { during: waiting.concat(durable), after: committed.slice(durable.length) };
}
