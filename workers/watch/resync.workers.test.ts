import { abortAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { TestRegion, until } from "./testing/test-region.ts";

const line = { cluster_id: "c1", epoch: 1 };

describe("resync of a region replica", () => {
  it("E11 a gap in the feed is seen, and what it held is taken from the snapshot", async () => {
    const region = new TestRegion();
    const a = await region.create("a.json", "{}");
    await region.head("a.json", a.index);
    const pages = region.faults.core.calls.edgeSnapshot;
    const lost = a.index + 1;
    region.faults.core.editFeed = (answer) => ({
      ...answer,
      entries: answer.entries.filter((entry) => entry.index !== lost),
    });
    const b = await region.create("b.json", "{}");
    expect(b.index).toBe(lost);
    await region.create("c.json", "{}");
    await until(() => region.faults.core.calls.edgeSnapshot > pages);
    region.faults.core.editFeed = (answer) => answer;
    expect((await region.head("b.json", b.index)).doc).not.toBeNull();
    // Cursors from before the gap still work: what the resync changed is newer than they are.
    const delta = await region.replica.changesSince({ ...line, since: a.index });
    expect(delta.entries.map((entry) => entry.name)).toEqual([
      "demo/shop/prod/b.json",
      "demo/shop/prod/c.json",
    ]);
  });

  it("E11 entries told twice are taken once", async () => {
    const region = new TestRegion();
    const seen: typeof entries = [];
    let entries: Awaited<ReturnType<MemoryCore["edgeFeed"]>>["entries"] = [];
    region.faults.core.editFeed = (answer) => {
      entries = answer.entries;
      const repeated = { ...answer, entries: [...seen, ...entries] };
      seen.push(...entries);
      return repeated;
    };
    const a = await region.create("a.json", "{}");
    await region.head("a.json", a.index);
    const index = await region.release(a.id, "[]");
    await region.head("a.json", index);
    const b = await region.create("b.json", "{}");
    await region.head("b.json", b.index);
    expect(await region.head("a.json", b.index)).toMatchObject({ version: 2, index });
    expect(region.faults.core.calls.edgeSnapshot).toBe(1);
  });

  it("E11 a feed that was compacted past the cursor leads to the snapshot, deletions too", async () => {
    const region = new TestRegion();
    const a = await region.create("a.json", "{}");
    const b = await region.create("b.json", "{}");
    await region.head("b.json", b.index);
    region.faults.core.failure = new Error("connection refused");
    const gone = await region.delete(a.id);
    const index = await region.release(b.id, "[]");
    region.faults.core.core.compactFeed(index);
    region.faults.core.failure = null;
    expect(await region.head("b.json", index)).toMatchObject({ version: 2 });
    expect(await region.head("a.json", index)).toMatchObject({ doc: null });
    const delta = await region.replica.changesSince({ ...line, since: b.index });
    expect(delta).toMatchObject({ dropped: false });
    expect(delta.entries.map((entry) => entry.name).toSorted()).toEqual([
      "demo/shop/prod/a.json",
      "demo/shop/prod/b.json",
    ]);
    expect(gone).toBeLessThan(index);
  });

  it("E11 a higher epoch is taken over whole, a lower one is refused", async () => {
    const region = new TestRegion();
    const a = await region.create("a.json", "{}");
    const before = await region.head("a.json", a.index);
    const old = region.faults.core.core;
    region.faults.core.core = new MemoryCore({ epoch: 2 });
    const b = await region.create("b.json", "{}");
    await until(async () => (await region.replica.ensureFollowing()).epoch === 2);
    expect((await region.head("b.json", b.index)).doc).not.toBeNull();
    expect(await region.head("a.json", b.index)).toMatchObject({ doc: null });
    expect(await region.replica.changesSince({ ...line, since: a.index })).toMatchObject({ dropped: true });

    region.faults.core.core = old;
    const polls = region.faults.core.calls.edgeFeed;
    await until(() => region.faults.core.calls.edgeFeed > polls + 2);
    const kept = await region.replica.lookup({ names: [before.name, "demo/shop/prod/b.json"] });
    expect(kept).toMatchObject({ epoch: 2, entries: [{ doc: null }, { index: b.index }] });
  });

  it("R13 E11 a restored backup is taken over whole, also by who was ahead of it, and tokens of before are called in", async () => {
    const region = new TestRegion();
    const a = await region.create("a.json", "1");
    const { restore } = await region.backup();
    const index = await region.release(a.id, "2");
    const b = await region.create("b.json", "3");
    await region.head("b.json", b.index);
    expect(await region.head("a.json", index)).toMatchObject({ version: 2 });
    const to = await restore();
    await until(async () => (await region.replica.ensureFollowing()).epoch === to.epoch);
    expect(await region.head("a.json", to.index)).toMatchObject({ version: 1 });
    expect(await region.head("b.json", to.index)).toMatchObject({ doc: null });
    const answer = await region.replica.changesSince({ ...line, since: a.index });
    expect(answer).toMatchObject({ dropped: true, tokens_not_before_ms: to.notBeforeMs });
    // What is written in the new epoch comes by the feed again, and the floor stays.
    const next = await region.release(a.id, "4");
    expect(await region.head("a.json", next)).toMatchObject({ version: 2, index: next });
    const pages = region.faults.core.calls.edgeSnapshot;
    const delta = await region.replica.changesSince({ ...line, epoch: to.epoch, since: to.index });
    expect(delta).toMatchObject({ dropped: false, tokens_not_before_ms: to.notBeforeMs });
    expect(region.faults.core.calls.edgeSnapshot).toBe(pages);
  });

  it("R13 E11 E7 a replica that was away for many changes and a restore serves the old head until the new one is whole, never a mixture", async () => {
    const region = new TestRegion();
    const { core } = region.faults;
    const names = Array.from({ length: 12 }, (_, i) => `n${String(i).padStart(2, "0")}.json`);
    const ids: string[] = [];
    for (const name of names) ids.push((await region.create(name, "1")).id);
    const { restore } = await region.backup();
    let last = 0;
    for (const id of ids) last = await region.release(id, "2");
    await region.head(names[0] ?? "", last);
    /** Every name's version in one answer, with where the answer stands. */
    const look = async (): Promise<string> => {
      const asked = [...names, "x.json", "y.json"].map((name) => `demo/shop/prod/${name}`);
      const { epoch, entries } = await region.replica.lookup({ names: asked });
      return `${epoch}: ${entries.map((entry) => (entry.doc === null ? 0 : entry.version)).join(" ")}`;
    };
    const old = `1: ${names.map(() => 2).join(" ")} 0 0`;
    expect(await look()).toBe(old);

    core.failure = new Error("connection refused");
    await region.create("x.json", "1");
    for (const id of ids) await region.release(id, "3");
    for (const id of ids.slice(0, 4)) await region.delete(id);
    const to = await restore();
    // Of the new epoch: another config, one that is changed, one that is gone; and the feed begins after all of it.
    await region.create("y.json", "1");
    await region.release(ids[5] ?? "", "4");
    last = await region.delete(ids[6] ?? "");
    core.core.compactFeed(last);
    expect(await look()).toBe(old);

    const seen = new Set<string>();
    core.snapshotLimit = 2;
    core.afterPage = async () => {
      seen.add(await look());
      // On a page that is through already, and on one to come.
      if (core.calls.edgeSnapshot === pages + 3) {
        last = await region.release(ids[0] ?? "", "5");
        last = await region.release(ids[11] ?? "", "5");
      }
    };
    const pages = core.calls.edgeSnapshot;
    const cutOff = new Error("connection reset");
    let polls = Infinity;
    core.editSnapshot = (page) => {
      // The pages are of different ages, and what evens them out is out of reach for a while.
      if (page.next_cursor === null) [core.failure, polls] = [cutOff, core.calls.edgeFeed];
      return page;
    };
    core.failure = null;
    await until(() => core.calls.edgeFeed > polls + 1);
    expect(await look()).toBe(old);
    core.failure = null;
    await until(async () => {
      const now = await look();
      seen.add(now);
      return now.startsWith(`${to.epoch}: `);
    });
    expect(core.calls.edgeSnapshot).toBeGreaterThan(pages + 5);
    await region.head("y.json", last);
    const restored = names.map((_, i) => (i === 6 ? 0 : [0, 5, 11].includes(i) ? 2 : 1));
    expect(seen).toEqual(new Set([old, `${to.epoch}: ${restored.join(" ")} 0 1`]));
  });

  it("E11 a core that is behind on the same line does not turn the head back", async () => {
    const region = new TestRegion();
    const a = await region.create("a.json", "{}");
    const index = await region.release(a.id, "[]");
    const before = await region.head("a.json", index);
    const ahead = region.faults.core.core;
    region.faults.core.core = new MemoryCore();
    const pages = region.faults.core.calls.edgeSnapshot;
    await until(() => region.faults.core.calls.edgeSnapshot > pages + 1);
    expect(await region.head("a.json", index)).toEqual(before);
    region.faults.core.core = ahead;
    const next = await region.release(a.id, "{}");
    expect(await region.head("a.json", next)).toMatchObject({ version: 3 });
  });

  it("E11 pages of different ages go live only when the feed has evened them out", async () => {
    const region = new TestRegion();
    const ids = new Map<string, string>();
    for (const name of ["a", "b", "c", "d"]) ids.set(name, (await region.create(name, "{}")).id);
    const { core } = region.faults;
    core.snapshotLimit = 2;
    let last = 0;
    let changed = false;
    core.afterPage = async () => {
      if (changed) return;
      changed = true;
      // After the page with a and b: one of each kind of change on both sides of the cursor.
      await region.release(ids.get("a") ?? "", "[1]");
      await region.delete(ids.get("b") ?? "");
      await region.delete(ids.get("c") ?? "");
      last = (await region.create("aa", "{}")).index;
      last = await region.release(ids.get("d") ?? "", "[2]");
    };
    await until(async () => (await region.replica.ensureFollowing()).epoch === 1);
    const { index } = await region.replica.ensureFollowing();
    expect(index).toBeGreaterThanOrEqual(last);
    const answer = await region.replica.lookup({
      names: ["a", "b", "c", "d", "aa"].map((name) => `demo/shop/prod/${name}`),
    });
    expect(answer.entries.map((entry) => (entry.doc === null ? 0 : entry.version))).toEqual([2, 0, 0, 2, 1]);
  });

  it("E12 a resync that dies between two pages goes on where it was", async () => {
    const region = new TestRegion();
    for (const name of ["a", "b", "c"]) await region.create(name, "{}");
    const { core } = region.faults;
    core.snapshotLimit = 1;
    core.afterPage = async () => {
      if (core.calls.edgeSnapshot === 2) throw new Error("connection reset");
    };
    await region.replica.ensureFollowing();
    await until(() => core.calls.edgeSnapshot >= 2);
    await abortAllDurableObjects();
    await until(async () => (await region.replica.ensureFollowing()).epoch === 1);
    const page = await region.replica.listNamespace({ namespace: "demo/shop/prod", cursor: null, limit: 10 });
    expect(page.entries).toHaveLength(3);
    expect(core.calls.edgeSnapshot).toBe(4);
  });

  it("E2 revocations come with the snapshot, and stay", async () => {
    const region = new TestRegion();
    await region.revoke("t-1", Date.now() + 60_000);
    await region.create("a.json", "{}");
    const start = await region.replica.changesSince({ ...line, since: 0 });
    expect(start.revocations.map((revocation) => revocation.jti)).toEqual(["t-1"]);
    const staged = await runInDurableObject(region.replica, (_, { storage }) =>
      storage.sql.exec("SELECT count(*) AS n FROM stage_revocation").one(),
    );
    expect(staged).toEqual({ n: 0 });
  });
});
