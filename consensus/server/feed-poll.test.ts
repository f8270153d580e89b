import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { codeOf, createIn } from "../../adapters/core-client/testing/core-conformance.ts";
import { createEntry } from "../state/testing-entries.ts";
import { StateStore } from "../state/state-store.ts";
import { startTestingNode, type TestingNode, TESTING_SERVICE_KEY } from "./testing-node.ts";

let directory: string;
let node: TestingNode;
const nodes: TestingNode[] = [];
const client = (...of: TestingNode[]): CoreClient =>
  new CoreClient({ urls: of.map(({ url }) => url), serviceKey: TESTING_SERVICE_KEY, role: "admin" });
async function start(options: { feedWaitersMax?: number } = {}): Promise<TestingNode> {
  const started = await startTestingNode(options);
  nodes.push(started);
  return started;
}
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "conflux-feed-"));
  node = await start();
});
afterEach(async () => {
  for (const started of nodes.splice(0)) await started.stop();
  rmSync(directory, { recursive: true, force: true });
});
/** Polls that are in the node and have found nothing yet. */
async function untilWaiting(at = node): Promise<void> {
  const inFlight = async (): Promise<number> => {
    const text = await (await fetch(`${at.url}/metrics`)).text();
    return Number(/http_requests_in_flight\{protocol="http"\} (\d+)/.exec(text)?.[1]);
  };
  // The question itself is one.
  while ((await inFlight()) < 2) await new Promise((resolve) => setTimeout(resolve, 5));
}
/** A copy of a state that stands at `entries` and whose feed keeps its last two. */
async function snapshotOf(entries: number): Promise<string> {
  const path = join(directory, "other.db");
  const options = { clusterId: "c1", journal: "wal", feedRetainedEntriesMax: 2 } as const;
  const store = new StateStore({ path, ...options });
  for (let i = 1; i <= entries; i += 1) store.apply([createEntry(i, `s${i}`)]);
  const copy = join(directory, "copy.db");
  await store.copyTo(copy);
  store.close();
  return copy;
}

describe("R12 a poll of a node that gets a snapshot", () => {
  it("is told at once that its cursor was compacted; pages of the snapshot and the feed from there bring all", async () => {
    const core = client(node);
    await createIn(core, "a.json", "{}");
    const poll = codeOf(core.feed({ after: 1, limit: 10, wait_ms: 20_000, view: "full" }));
    await untilWaiting();
    node.store.install(await snapshotOf(8), 8);
    expect(await poll).toBe("feed_compacted");
    expect(await codeOf(core.edgeFeed({ after: 5, limit: 10, wait_ms: 0 }))).toBe("feed_compacted");
    const page = await core.edgeSnapshot({ cursor: null, limit: 100 });
    expect(page).toMatchObject({ index: 8, epoch: 1, next_cursor: null });
    expect(page.configs.map(({ name }) => name).toSorted()).toEqual(
      Array.from({ length: 8 }, (_, i) => `s${i + 1}`),
    );
    const next = await createIn(core, "after.json", "{}");
    const rest = await core.edgeFeed({ after: page.index, limit: 10, wait_ms: 0 });
    expect(rest.entries.map(({ index, prev_index }) => [index, prev_index])).toEqual([[next.index, 8]]);
  });

  it("whose cursor is still in the feed gets what came with it", async () => {
    const core = client(node);
    for (let i = 0; i < 6; i += 1) await createIn(core, `a${i}.json`, "{}");
    const poll = core.feed({ after: 6, limit: 10, wait_ms: 20_000, view: "full" });
    await untilWaiting();
    node.store.install(await snapshotOf(8), 8);
    expect((await poll).entries.map(({ index }) => index)).toEqual([7, 8]);
  });
});

describe("R12 a cursor that is ahead of the node", () => {
  it("is waited for a little, since a node may be behind the one that gave it", async () => {
    const core = client(node);
    const poll = core.feed({ after: 2, limit: 10, wait_ms: 20_000, view: "full" });
    await untilWaiting();
    for (const name of ["a", "b", "c"]) await createIn(core, `${name}.json`, "{}");
    expect((await poll).entries.map(({ index }) => index)).toEqual([3]);
  });

  it("is refused when the node does not get there, long before a long poll's own time", async () => {
    expect(await codeOf(client(node).edgeFeed({ after: 9, limit: 1, wait_ms: 20_000 }))).toBe("feed_ahead");
  });
});

describe("R12 an answer of the feed", () => {
  it("says of which cluster and epoch it is, also when nothing came", async () => {
    await createIn(client(node), "a.json", "{}");
    const idle = await client(node).edgeFeed({ after: 1, limit: 1, wait_ms: 1 });
    expect(idle).toMatchObject({ cluster_id: "c1", epoch: 1, index: 1, last_index: 1, entries: [] });
  });

  it("comes from another node when one holds as many polls as it may", async () => {
    const full = await start({ feedWaitersMax: 1 });
    const held = new AbortController();
    const poll = client(full).feed({
      after: 0,
      limit: 1,
      wait_ms: 20_000,
      view: "full",
      signal: held.signal,
    });
    await untilWaiting(full);
    expect(await codeOf(client(full).edgeFeed({ after: 0, limit: 1, wait_ms: 400 }))).toBe("unavailable");
    await createIn(client(node), "a.json", "{}");
    const page = await client(full, node).edgeFeed({ after: 0, limit: 1, wait_ms: 20_000 });
    expect(page.entries).toHaveLength(1);
    held.abort();
    await expect(poll).rejects.toMatchObject({ name: "AbortError" });
  });
});
