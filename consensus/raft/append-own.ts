import type { Entry, EntryKind } from "./types.ts";
import type { Core } from "./core.ts";
import { appendOne, lastIndex } from "./raft-log-view.ts";
import { noteEntries } from "./membership/track-membership.ts";

/** Appends an entry to a leader's own log; it is sent with the next batch, together with its neighbours. */
export function appendOwn(core: Core, kind: EntryKind, data: Uint8Array): Entry {
  const entry: Entry = { index: lastIndex(core.view) + 1, term: core.term, kind, data };
  appendOne(core.view, entry);
  if (kind === "membership") noteEntries(core, entry.index, [entry]);
  core.broadcastWanted = true;
  return entry;
}
