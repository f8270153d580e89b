/** A replica and its hubs when several things fail at the same time (E7, E9, E11, E12). */
import { abortAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { TestRegion, until } from "./testing/test-region.ts";
import { indexOf, TestSocket, watchRequest } from "./testing/test-watcher.ts";

const line = { cluster_id: "c1", epoch: 1 };
const ALL = "demo/shop/prod/*";
const HOUR_MS = 3_600_000;
const noLeader = (): ConfluxError => new ConfluxError("unavailable", "the cluster has no leader");

describe("several faults at once", () => {
  it("E11 E12 a replica that dies in the middle of a resync while the core changes its leader ends whole", async () => {
    const region = new TestRegion();
    const { core } = region.faults;
    const ids = new Map<string, string>();
    for (const name of ["a", "b", "c", "d", "e"]) ids.set(name, (await region.create(name, "1")).id);
    await region.head("e", 5);
    // Away, and compacted meanwhile: the way back is a resync, page by page.
    core.failure = noLeader();
    await region.release(ids.get("a") ?? "", "2");
    core.core.compactFeed(await region.delete(ids.get("b") ?? ""));
    core.snapshotLimit = 1;
    let last = 0;
    let died = false;
    core.afterPage = async () => {
      if (died || core.calls.edgeSnapshot < pages + 2) return;
      died = true;
      // The leader goes with the page that was on its way; what it had committed on either side of the cursor stays.
      core.failure = noLeader();
      last = await region.release(ids.get("a") ?? "", "3");
      last = await region.delete(ids.get("d") ?? "");
      throw noLeader();
    };
    const pages = core.calls.edgeSnapshot;
    const look = async (): Promise<string> => {
      const names = [...ids.keys()].map((name) => `demo/shop/prod/${name}`);
      const { entries } = await region.replica.lookup({ names });
      return entries.map((entry) => (entry.doc === null ? 0 : entry.version)).join(" ");
    };
    core.failure = null;
    await until(() => died);
    await abortAllDurableObjects();
    expect(await look()).toBe("1 1 1 1 1");
    // The next one that answers is a follower which has not applied so much: its pages must not be mixed in.
    let behind = 2;
    core.editSnapshot = (page) => (behind-- > 0 ? { ...page, index: 1, configs: [] } : page);
    core.failure = null;
    const seen = new Set<string>();
    await until(async () => {
      const now = await look();
      seen.add(now);
      return now === "3 0 1 0 1";
    });
    expect(behind).toBeLessThan(0);
    await region.head("e", last);
    // The old state or the new one, and nothing between.
    expect(["1 1 1 1 1", "3 0 1 0 1"]).toEqual(expect.arrayContaining([...seen]));
  });

  it("E7 E9 E11 after an hour away the age is told until the snapshot is in, and watchers hear of all that changed", async () => {
    const region = new TestRegion();
    const { core } = region.faults;
    const a = await region.create("a.json", "1");
    const b = await region.create("b.json", "1");
    await region.head("b.json", b.index);
    const before = await TestSocket.open(region, { configs: [ALL] });
    await before.message("hello");
    const since = before.index;
    core.failure = noLeader();
    await region.release(a.id, "2");
    const index = await region.delete(b.id);
    core.core.compactFeed(index);
    // The loop notes at its end when it last heard of the core: what it notes is an hour old.
    await until(async () => (await region.replica.ensureFollowing()).age_ms > 0);
    await runInDurableObject(region.replica, (_, { storage }) => {
      storage.sql.exec("UPDATE position SET contact_at = ?", Date.now() - HOUR_MS);
    });
    await abortAllDurableObjects();
    const old = await region.replica.changesSince({ ...line, since: b.index });
    expect(old).toMatchObject({ index: b.index, entries: [], dropped: false });
    expect(old.age_ms).toBeGreaterThanOrEqual(HOUR_MS);
    // Its hub died too, and takes it back although nobody knows of anything new.
    const socket = await TestSocket.open(region, { configs: [ALL], since });
    await socket.message("hello");

    core.failure = null;
    expect(await region.head("a.json", index)).toMatchObject({ version: 2 });
    expect((await region.replica.ensureFollowing()).age_ms).toBe(0);
    expect(await region.head("b.json", index)).toMatchObject({ doc: null });
    // Both bear the index of the snapshot; whoever was cut between them gets both again.
    const told = (await socket.changesOf(2)).map(({ config, deleted, index: at }) => [
      config,
      deleted,
      indexOf(at),
    ]);
    expect(told).toEqual([
      ["demo/shop/prod/a.json", false, index],
      ["demo/shop/prod/b.json", true, index],
    ]);
    const cut = await TestSocket.open(region, { configs: [ALL], since: socket.changes[0]?.index ?? "" });
    expect((await cut.changesOf(2)).map(({ config }) => config)).toEqual(told.map(([config]) => config));
  });

  it("E9 a watcher that gives up while its hub waits for the region spoils no other's", async () => {
    const region = new TestRegion();
    const { core } = region.faults;
    core.failure = noLeader();
    await region.create("a.json", "1");
    const aborting = new AbortController();
    const request = watchRequest(region, { configs: [ALL] });
    const aborted = region.hub.fetch(new Request(request, { signal: aborting.signal }));
    const outcome = expect(aborted).rejects.toThrow();
    const patient = TestSocket.open(region, { configs: [ALL] });
    const polls = core.calls.edgeSnapshot;
    await until(() => core.calls.edgeSnapshot > polls + 1);
    aborting.abort();
    await outcome;
    core.failure = null;
    const socket = await patient;
    await socket.message("hello");
    const next = await TestSocket.open(region, { configs: [ALL] });
    await region.create("b.json", "1");
    await Promise.all([socket, next].map((one) => one.changesOf(1)));
  });
});
