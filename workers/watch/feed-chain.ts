import type { EdgeFeedEntry } from "../../contracts/core/core-api.ts";
import type { ConfigChanged, ConfigDeleted } from "../../domain/command/feed-entry.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { IndexedRevocation } from "./head-store.ts";

/** What a run of feed entries asks of the head. */
export interface FeedBatch {
  /** The newest event of each config, with the index of its entry, in order of index. */
  configs: { index: number; event: ConfigChanged | ConfigDeleted }[];
  revocations: IndexedRevocation[];
  /** The last feed entry seen. */
  feed_index: number;
}

/**
 * Reads the entries that come after `after`. Entries already seen are skipped; null when one is missing: each entry
 * names its predecessor, which must be `after`, older than `after`, or in this run.
 */
export function readFeed(entries: readonly EdgeFeedEntry[], after: number): FeedBatch | null {
  const configs = new Map<string, FeedBatch["configs"][number]>();
  const revocations: IndexedRevocation[] = [];
  let last = after;
  for (const entry of entries) {
    if (entry.index <= last) continue;
    if (entry.prev_index > last) return null;
    last = entry.index;
    for (const event of entry.events) {
      if (event.type === "token_revoked") {
        revocations.push({ jti: event.jti, expires_at_ms: event.expires_at_ms, index: entry.index });
      } else if (event.type === "config_changed" || event.type === "config_deleted") {
        // By name, since a core that is older than an event's kind does not know that the edge is not shown it.
        const name = fullName(event.namespace, event.name);
        configs.delete(name);
        configs.set(name, { index: entry.index, event });
      }
    }
  }
  return { configs: [...configs.values()], revocations, feed_index: last };
}
