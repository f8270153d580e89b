import { describe, expect, it } from "vitest";
import type { FeedEntry, FeedEvent } from "../../domain/command/feed-entry.ts";
import { findPublishHints } from "./find-publish-hints.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;
const PLACE = { config_id: "cfg-c1-1", namespace: { tenant: "demo", app: "shop", env: "prod" }, name: "a" };

/** A move of a plan, as the feed tells it. Without `goesOnMs` the plan does not go on by itself. */
const changed = (to: string, goesOnMs?: number, publish_id = "pub-c1-1-2"): FeedEvent => ({
  ...PLACE,
  type: "publish_changed",
  publish_id,
  version_id: 2,
  previous_version_id: 1,
  from: null,
  to,
  regions: null,
  labels: null,
  cause: "by_hand",
  ...(goesOnMs === undefined ? {} : { goes_on_at_ms: goesOnMs }),
});
const approved = (goesOnMs?: number): FeedEvent => ({
  type: "publish_approved",
  publish_id: "pub-c1-1-2",
  config_id: PLACE.config_id,
  stage: 1,
  ...(goesOnMs === undefined ? {} : { goes_on_at_ms: goesOnMs }),
});
const other: FeedEvent = { ...PLACE, type: "config_deleted" };
/** Written `agoMs` ago. */
const entry = (agoMs: number, ...events: FeedEvent[]): FeedEntry => ({
  index: 7,
  prev_index: 6,
  timestamp_ms: NOW_MS - agoMs,
  tenant: "demo",
  kind: "start_publish",
  trace_id: "",
  events,
  audit: {
    actor: { type: "user", id: "u", name: "u" },
    ip: "",
    action: "publish",
    resource: "",
    summary: "",
  },
});
const delays = (...entries: FeedEntry[]) => findPublishHints(entries, NOW_MS).map(({ delay_s }) => delay_s);

describe("L1 which entries of the feed give which hints", () => {
  it.each<[string, FeedEntry, number[]]>([
    ["a stage that bakes for a minute", entry(0, changed("stage1", NOW_MS + MINUTE_MS)), [61]],
    ["the same, seen half a second late", entry(500, changed("stage1", NOW_MS - 500 + MINUTE_MS)), [61]],
    ["a part of a second more", entry(0, changed("stage1", NOW_MS + 10_001)), [12]],
    ["a stage of a quarter of an hour", entry(0, changed("stage2", NOW_MS + 900_000)), [900]],
    ["the same, seen a second late", entry(1000, changed("stage2", NOW_MS + 899_000)), [900]],
    ["the same, seen five seconds late", entry(5000, changed("stage2", NOW_MS + 895_000)), [896]],
    ["the same, with this clock a second behind", entry(-1000, changed("stage2", NOW_MS + 901_000)), [900]],
    ["a longer one, left to the schedule", entry(0, changed("stage1", NOW_MS + 901_001)), []],
    [
      "a day's stage that ends in ten minutes, seen late",
      entry(86_400_000, changed("stage1", NOW_MS + 600_000)),
      [601],
    ],
    ["a stage that waits for a hand or for approvals", entry(0, changed("stage1")), []],
    ["a short pause", entry(0, changed("paused", NOW_MS + 30_000)), [31]],
    ["a pause of a week", entry(0, changed("paused", NOW_MS + 7 * 86_400_000)), []],
    ["a plan that is full", entry(0, changed("full")), []],
    ["a plan that was aborted", entry(0, changed("aborted")), []],
    ["the last approval before the bake is over", entry(0, approved(NOW_MS + 5_000)), [6]],
    ["the last approval after it: at once, without a margin", entry(200, approved(NOW_MS - 3_600_000)), [0]],
    ["one approval of two", entry(0, approved()), []],
    ["a stage that has baked while nobody projected", entry(90_000, changed("stage1", NOW_MS - 60_000)), [0]],
    ["the same of two minutes ago", entry(600_000, changed("stage1", NOW_MS - 120_001)), []],
    ["an approval of long ago", entry(600_000, approved(NOW_MS - 700_000)), []],
    ["the log's clock ahead of this one", entry(-5_000, changed("stage1", NOW_MS + 5_600)), [7]],
    ["what has nothing to do with plans", entry(0, other), []],
  ])("%s", (_what, one, expected) => {
    expect(delays(one)).toEqual(expected);
  });

  it("the last word on a plan counts, each plan has one hint, and what is due first comes first", () => {
    const found = findPublishHints(
      [
        entry(9, other, changed("stage1", NOW_MS + 60_000, "pub-a-1")),
        entry(8, changed("stage1", NOW_MS + 30_000, "pub-b-1")),
        entry(7, changed("paused", NOW_MS + 90_000, "pub-a-1"), changed("stage1", NOW_MS + 9_000, "pub-c-1")),
        entry(6, changed("aborted", undefined, "pub-c-1")),
        entry(5, changed("stage1", NOW_MS + 70_000, "pub-a-1")),
      ],
      NOW_MS,
    );
    expect(found).toEqual([
      { publish_id: "pub-b-1", delay_s: 31 },
      { publish_id: "pub-a-1", delay_s: 71 },
    ]);
  });

  it("a feed that is read anew, of plans over a year, gives hints for those that are due soon alone", () => {
    const year = Array.from({ length: 5_000 }, (_, i) => {
      const agoMs = (5_000 - i) * 100 * MINUTE_MS;
      return entry(agoMs, changed("stage1", NOW_MS - agoMs + 10 * MINUTE_MS, `pub-c1-${i}-1`));
    });
    const now = entry(0, changed("stage1", NOW_MS + MINUTE_MS, "pub-now-1"));
    expect(findPublishHints([...year, now], NOW_MS)).toEqual([{ publish_id: "pub-now-1", delay_s: 61 }]);
  });
});
