import { HINT_DELAY_S_MAX, type PublishHint } from "../../contracts/publish/publish-hint-queue.ts";
import type { FeedEntry } from "../../domain/command/feed-entry.ts";

/** Added to the delay of what is still to come, since the log's time decides and its clock may be a little behind. */
const MARGIN_MS = 1_000;
/** What could have gone on so long ago has been looked at by the schedule, twice. */
const PASSED_MS_MAX = 2 * 60_000;

/**
 * The hints that follow from entries of the feed (P4): one for each plan that may go on by itself within what a queue can delay,
 * by the last entry that says something of the plan; the first to come due first. Nothing for entries of long ago, as a
 * projection that is made anew reads them.
 */
export function findPublishHints(entries: readonly FeedEntry[], nowMs: number): PublishHint[] {
  const delays = new Map<string, number | null>();
  for (const { events, timestamp_ms: saidMs } of entries) {
    for (const event of events) {
      if (event.type !== "publish_changed" && event.type !== "publish_approved") continue;
      delays.set(event.publish_id, delayS(event.goes_on_at_ms, saidMs, nowMs));
    }
  }
  return [...delays]
    .flatMap(([publish_id, delay_s]) => (delay_s === null ? [] : [{ publish_id, delay_s }]))
    .toSorted((a, b) => a.delay_s - b.delay_s);
}

/** Null: no hint. `saidMs`: the log's time at which it was said. */
function delayS(goesOnMs: number | undefined, saidMs: number, nowMs: number): number | null {
  if (goesOnMs === undefined) return null;
  if (Math.max(goesOnMs, saidMs) < nowMs - PASSED_MS_MAX) return null;
  const waitMs = goesOnMs - nowMs;
  if (waitMs > HINT_DELAY_S_MAX * 1000 + MARGIN_MS) return null;
  const seconds = Math.ceil((waitMs + (goesOnMs > saidMs ? MARGIN_MS : 0)) / 1000);
  // A stage of just as long as a queue can delay has its hint, too, with less of a margin.
  return Math.min(Math.max(0, seconds), HINT_DELAY_S_MAX);
}
