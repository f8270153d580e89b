import { type Refusal, refuse } from "./apply-verb.ts";
import type { EdgeEvent, FeedEntry, FeedEvent } from "./feed-entry.ts";
import { collectInline, type InlineBudget } from "./inline-blobs.ts";

/** The feed of one node. `compactedIndex`: entries up to it are gone; `appliedIndex`: how far the state machine is. */
export interface FeedSource {
  appliedIndex: number;
  compactedIndex: number;
  /** Entries after `after`, ascending, with the length of their text; read lazily. */
  entriesAfter(after: number): Iterable<{ entry: FeedEntry; chars: number }>;
}

export interface FeedPage<E> {
  ok: true;
  entries: E[];
  /** Contents that the entries name, by hash, as far as they are small and the answer has room for them. */
  blobs: Map<string, Uint8Array>;
}

/** What the edge is shown of an entry: neither who did it nor what it does not know of. */
export type EdgeEntry = Omit<FeedEntry, "audit" | "events"> & { events: EdgeEvent[] };

/**
 * One answer of the feed (R12): entries after `after`, at most `limit`, closed early at `charsMax` but never empty when
 * there is an entry. Refuses `feed_compacted` when entries after the cursor are gone, and `feed_ahead` when the node has
 * not applied as far as the cursor.
 */
export function readFeed<V extends "full" | "edge">(
  source: FeedSource,
  input: { after: number; limit: number; view: V; charsMax: number; inline: InlineBudget | null },
): FeedPage<V extends "full" ? FeedEntry : EdgeEntry> | Refusal {
  const { after } = input;
  if (after < source.compactedIndex) {
    return refuse("feed_compacted", `the feed begins after index ${source.compactedIndex}`);
  }
  if (after > source.appliedIndex) {
    return refuse("feed_ahead", `the cursor is ${after}, the node has applied ${source.appliedIndex}`);
  }
  const entries: FeedEntry[] = [];
  const blobs = new Map<string, Uint8Array>();
  let left = input.charsMax;
  for (const { entry, chars } of source.entriesAfter(after)) {
    if (entries.length === input.limit || (entries.length > 0 && chars > left)) break;
    left -= chars;
    entries.push(entry);
    if (input.inline === null) continue;
    for (const event of entry.events) {
      if (event.type === "config_changed") left -= collectInline(event, input.inline, left, blobs);
    }
  }
  type Shown = V extends "full" ? FeedEntry : EdgeEntry;
  const shown = input.view === "full" ? entries : entries.map(toEdgeEntry);
  return { ok: true, entries: shown as Shown[], blobs };
}

function toEdgeEntry({ audit: _audit, ...entry }: FeedEntry): EdgeEntry {
  return { ...entry, events: entry.events.filter(isOfEdge) };
}

function isOfEdge(event: FeedEvent): event is EdgeEvent {
  return event.type !== "publish_changed" && event.type !== "publish_approved";
}
