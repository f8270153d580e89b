import type { ContentStore } from "./content-store.ts";
import type { HeadStore } from "./head-store.ts";
import type { HubOutbox } from "./hub-outbox.ts";
import {
  CONTENT_GRACE_MS,
  IN_FLIGHT_MAX,
  KV_REWRITE_AFTER_MS,
  KV_TTL_S,
  SWEEP_ROWS_MAX,
  TOMBSTONE_KEEP_MS,
} from "./limits.ts";
import { runBounded } from "./run-bounded.ts";

/**
 * Housekeeping, a bounded piece at a time: forgets old tombstones, expired revocations, bytes that nobody names and hubs
 * that are gone, and writes live KV entries again before they expire. Rejects when KV does; the rest is done by then.
 */
export async function sweepReplica(
  parts: { head: HeadStore; contents: ContentStore; outbox: HubOutbox; kv: KVNamespace },
  nowMs: number,
): Promise<void> {
  const { head, contents, outbox, kv } = parts;
  head.prune(nowMs - TOMBSTONE_KEEP_MS, nowMs, SWEEP_ROWS_MAX);
  contents.removeReleased(nowMs - CONTENT_GRACE_MS, SWEEP_ROWS_MAX);
  outbox.prune(nowMs);
  const due = contents.dueForRewrite(nowMs - KV_REWRITE_AFTER_MS, SWEEP_ROWS_MAX);
  await runBounded(due, IN_FLIGHT_MAX, async (key) => {
    const bytes = contents.read(key);
    if (bytes === null) return;
    await kv.put(key, bytes, { expirationTtl: KV_TTL_S });
    contents.rewritten(key, nowMs);
  });
}
