import { expect, it } from "vitest";
import type { EdgeFeedEntry } from "../../contracts/core/core-api.ts";
import { readFeed } from "./feed-chain.ts";

const NAMESPACE = { tenant: "demo", app: "shop", env: "prod" };
const entry = (index: number, ...events: object[]): EdgeFeedEntry => ({
  index,
  prev_index: index - 1,
  timestamp_ms: 0,
  tenant: "demo",
  kind: "approve_publish_stage",
  trace_id: "",
  events: events as EdgeFeedEntry["events"],
});

it("E5 an event of a kind that the edge does not know is stepped over, and what is beside it is not", () => {
  const unknown = { type: "publish_approved", publish_id: "pub-c1-1-2", config_id: "cfg-c1-1", stage: 1 };
  const deleted = { type: "config_deleted", config_id: "cfg-c1-1", namespace: NAMESPACE, name: "a.json" };
  expect(readFeed([entry(1, unknown), entry(2, unknown, deleted)], 0)).toEqual({
    configs: [{ index: 2, event: deleted }],
    revocations: [],
    feed_index: 2,
  });
});
