import { createScheduledController, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { ContentStore } from "./content-store.ts";
import { HeadStore } from "./head-store.ts";
import { HubOutbox } from "./hub-outbox.ts";
import {
  CONTENT_GRACE_MS,
  HUB_REGISTRATION_TTL_MS,
  KV_REWRITE_AFTER_MS,
  OUTBOX_BATCHES_MAX,
  TOMBSTONE_KEEP_MS,
} from "./limits.ts";
import main from "./main.ts";
import { sweepReplica } from "./sweep-replica.ts";
import { replicaName } from "../../contracts/delivery/replica-rpc.ts";
import { testEnv, TestRegion } from "./testing/test-region.ts";
import type { WatchEnv } from "./watch-env.ts";

function partsOf(storage: DurableObjectStorage, kv: KVNamespace) {
  const { sql } = storage;
  return { head: new HeadStore(sql), contents: new ContentStore(storage), outbox: new HubOutbox(sql), kv };
}

describe("sweep of a region replica", () => {
  it("E11 forgets tombstones and bytes after their time, and remembers how far back cursors reach", async () => {
    const region = new TestRegion();
    const a = await region.create("a.json", "0");
    const entry = await region.head("a.json", a.index);
    const b = await region.create("b.json", "0");
    const gone = await region.delete(a.id);
    await region.head("a.json", gone);
    const key = `d/demo/${entry.doc}`;
    const found = await runInDurableObject(region.replica, async (_, { storage }) => {
      const parts = partsOf(storage, testEnv.KV_US_EAST_1);
      await sweepReplica(parts, Date.now() + CONTENT_GRACE_MS - 60_000);
      const early = { bytes: parts.contents.read(key) !== null, horizon: parts.head.position()?.horizon };
      await sweepReplica(parts, Date.now() + CONTENT_GRACE_MS + 60_000);
      const between = parts.contents.read(key) !== null;
      await sweepReplica(parts, Date.now() + TOMBSTONE_KEEP_MS + 60_000);
      const rows = storage.sql.exec("SELECT name FROM head").toArray();
      return { early, between, rows, horizon: parts.head.position()?.horizon };
    });
    expect(found).toEqual({
      early: { bytes: true, horizon: a.index },
      between: false,
      rows: [{ name: "demo/shop/prod/b.json" }],
      horizon: gone,
    });
    expect(b.index).toBeLessThan(gone);
  });

  it("E11 writes live KV entries again before they expire, and only those", async () => {
    const region = new TestRegion();
    const a = await region.create("a.json", "0");
    const first = await region.head("a.json", a.index);
    const second = await region.head("a.json", await region.release(a.id, "1"));
    const written: string[] = [];
    const kv = {
      put: async (key: string) => {
        written.push(key);
      },
    } as unknown as KVNamespace;
    await runInDurableObject(region.replica, async (_, { storage }) => {
      const parts = partsOf(storage, kv);
      await sweepReplica(parts, Date.now() + KV_REWRITE_AFTER_MS - 60_000);
      expect(written).toEqual([]);
      await sweepReplica(parts, Date.now() + KV_REWRITE_AFTER_MS + 60_000);
      await sweepReplica(parts, Date.now() + KV_REWRITE_AFTER_MS + 60_000);
    });
    expect(written).toEqual([`d/demo/${second.doc}`]);
    expect(first.doc).not.toBe(second.doc);
  });

  it("E10 keeps a bounded outbox, and forgets hubs that no longer register", async () => {
    const region = new TestRegion();
    await region.head("none", (await region.create("a.json", "0")).index);
    await runInDurableObject(region.replica, (_, { storage }) => {
      const { outbox } = partsOf(storage, testEnv.KV_US_EAST_1);
      const count = (): unknown => storage.sql.exec("SELECT count(*) AS n FROM outbox").one()["n"];
      const batch = (index: number) => ({
        cluster_id: "c1",
        epoch: 1,
        index,
        changes: [{ config: "demo/shop/prod/a.json", version: 1, index, deleted: false }],
        revocations: [],
        tokens_not_before_ms: 0,
        resync: false,
      });
      outbox.add(batch(1));
      expect(count()).toBe(0);
      const nowMs = Date.now();
      outbox.register("hub:a:0", nowMs);
      for (let i = 1; i <= OUTBOX_BATCHES_MAX + 5; i += 1) outbox.add(batch(i));
      expect(outbox.due("hub:a:0")?.batch).toMatchObject({
        resync: false,
        changes: [{ index: OUTBOX_BATCHES_MAX + 5 }],
      });
      outbox.prune(nowMs);
      expect(count()).toBe(OUTBOX_BATCHES_MAX);
      const due = outbox.due("hub:a:0");
      expect(due?.batch).toMatchObject({ resync: true, changes: [], index: OUTBOX_BATCHES_MAX + 5 });
      outbox.acknowledge("hub:a:0", due?.upTo ?? 0);
      expect(outbox.due("hub:a:0")).toBeNull();
      outbox.prune(nowMs + HUB_REGISTRATION_TTL_MS + 1);
      expect(outbox.behind()).toEqual([]);
      expect(count()).toBe(0);
    });
  });
});

describe("watch Worker", () => {
  it("E11 E12 cron starts every replica of every region; nothing else is served", async () => {
    await main.scheduled(createScheduledController(), {
      ...(env as unknown as WatchEnv),
      REPLICA_GROUPS: "2",
    });
    for (const name of ["us-east-1", "cn-chengdu"].flatMap((r) => [replicaName(r, 0), replicaName(r, 1)])) {
      // Looked at from inside: a question would start it, too.
      const position = () =>
        runInDurableObject(testEnv.REPLICA.getByName(name), (_, { storage }) =>
          new HeadStore(storage.sql).position(),
        );
      await expect.poll(position, { timeout: 10_000 }).toMatchObject({ epoch: 1 });
    }
    const wrong = main.scheduled(createScheduledController(), {
      ...(env as unknown as WatchEnv),
      REPLICA_GROUPS: "0",
    });
    await expect(wrong).rejects.toThrow("REPLICA_GROUPS");
    expect(main.fetch().status).toBe(404);
  });
});
