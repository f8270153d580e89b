import { abortAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { decodeDocument } from "../../contracts/delivery/document-codec.ts";
import type { CompiledDocument } from "../../domain/delivery/compiled-document.ts";
import { HEAD_DELTA_MAX } from "./limits.ts";
import { rule, testEnv, TestRegion, until } from "./testing/test-region.ts";

async function kvDocument(doc: string | null): Promise<CompiledDocument> {
  const bytes = await testEnv.KV_US_EAST_1.get(`d/demo/${doc}`, "arrayBuffer");
  if (bytes === null) throw new Error("KV has no such document");
  return decodeDocument(new Uint8Array(bytes));
}
const textOf = (document: CompiledDocument, i = 0): string =>
  new TextDecoder().decode(document.variants[i]?.content ?? undefined);

describe("region replica", () => {
  it("E11 follows the feed: the document is in KV before the head names it", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", `{"a":1}`);
    const first = await region.head("a.json", made.index);
    expect(first).toMatchObject({ version: 1 });
    const index = await region.release(made.id, `{"a":2}`);
    const second = await region.head("a.json", index);
    expect(second).toMatchObject({ version: 2, index });
    expect(textOf(await kvDocument(second.doc))).toBe(`{"a":2}`);
    const key = `d/demo/${second.doc}`;
    const copy = await region.replica.content({ tenant: "demo", key });
    expect(textOf(decodeDocument(new Uint8Array(copy ?? new ArrayBuffer(0))))).toBe(`{"a":2}`);
    expect(await region.replica.content({ tenant: "other", key })).toBeNull();
    expect(await region.replica.content({ tenant: "demo", key: "d/demo/none" })).toBeNull();
  });

  it("E3 rules of another region change nothing here, and move the index all the same", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", `{"a":1}`);
    const before = await region.head("a.json", made.index);
    const elsewhere = { edge: { regions: ["elsewhere"] } };
    const index = await region.release(made.id, `{"a":2}`, [rule(1), rule(2, elsewhere)]);
    // A new version alone does not make a new document: its rules did not change here.
    const after = await region.head("a.json", index);
    expect(after.doc === before.doc ? after : null).toEqual(before);
  });

  it("E3 a config without a rule for the region is not in its head", async () => {
    const region = new TestRegion();
    const elsewhere = [rule(1, { edge: { regions: ["elsewhere"] } })];
    const made = await region.create("a.json", "{}", elsewhere);
    expect(await region.head("a.json", made.index)).toMatchObject({ doc: null, index: 0 });
    const here = await region.putRules(made.id, [rule(1)]);
    expect((await region.head("a.json", here)).doc).not.toBeNull();
    const gone = await region.putRules(made.id, elsewhere);
    expect(await region.head("a.json", gone)).toMatchObject({ doc: null, index: gone, version: 1 });
  });

  it("E4 a large variant stands by itself, in KV and in the replica", async () => {
    const region = new TestRegion();
    const text = JSON.stringify("x".repeat(2_500_000));
    const made = await region.create("big.json", text);
    const entry = await region.head("big.json", made.index);
    const document = await kvDocument(entry.doc);
    expect(document.variants[0]?.content).toBeNull();
    const key = `v/demo/${document.variants[0]?.sha256}`;
    expect(await testEnv.KV_US_EAST_1.get(key)).toBe(text);
    const copy = await region.replica.content({ tenant: "demo", key });
    expect(new TextDecoder().decode(copy ?? undefined)).toBe(text);
    // The same bytes are neither fetched nor written a second time.
    const { calls } = region.faults.core;
    const fetched = calls.getBlob;
    await region.head("big.json", await region.putRules(made.id, [rule(1, { labels: { a: "b" } })]));
    expect(calls.getBlob).toBe(fetched);
    expect(region.faults.kvWrites.filter((written) => written === key)).toHaveLength(1);
  });

  it("E5 lookup waits for an index, and says when it was not reached", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    await region.head("a.json", made.index);
    const names = ["demo/shop/prod/a.json", "demo/shop/prod/none"];
    const waiting = region.replica.lookup({ names, min_index: made.index + 2, wait_ms: 5000 });
    const index = await region.release(made.id, "[]");
    const answer = await waiting;
    expect(answer).toMatchObject({ reached: true, index, cluster_id: "c1", epoch: 1, age_ms: 0 });
    expect(answer.entries.map((entry) => entry.index)).toEqual([index, 0]);
    const far = await region.replica.lookup({ names: [], min_index: index + 1, wait_ms: 20 });
    expect(far.reached).toBe(false);
  });

  it("E5 tells what changed since an index, and drops what is too much or of another epoch", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    await region.head("a.json", made.index);
    const revokedAt = await region.revoke("t-1", Date.now() + 60_000);
    const other = await region.create("b.json", "{}");
    await region.head("b.json", other.index);
    const line = { cluster_id: "c1", epoch: 1 };
    const delta = await region.replica.changesSince({ ...line, since: made.index });
    expect(delta.entries.map((entry) => entry.name)).toEqual(["demo/shop/prod/b.json"]);
    expect(delta.revocations.map((revocation) => revocation.jti)).toEqual(["t-1"]);
    const later = await region.replica.changesSince({ ...line, since: revokedAt });
    expect(later.revocations).toEqual([]);
    const start = await region.replica.changesSince({ ...line, since: 0 });
    expect(start).toMatchObject({ entries: [], dropped: false, index: other.index });
    expect(start.revocations).toHaveLength(1);
    const foreign = await region.replica.changesSince({ cluster_id: "c2", epoch: 1, since: 3 });
    expect(foreign).toMatchObject({ entries: [], dropped: true });
    await runInDurableObject(region.replica, (_, { storage }) => {
      for (let i = 0; i <= HEAD_DELTA_MAX; i += 1) {
        storage.sql.exec("INSERT INTO head VALUES (?, 'd', ?, 1, 0)", `demo/shop/prod/x${i}`, other.index);
      }
    });
    const large = await region.replica.changesSince({ ...line, since: made.index });
    expect(large).toMatchObject({ entries: [], dropped: true });
    expect(large.revocations).toHaveLength(1);
  });

  it("E6 lists a namespace in pages, without what was deleted", async () => {
    const region = new TestRegion();
    const names = ["a", "b", "c", "d"];
    let last = { id: "", index: 0 };
    for (const name of names) last = await region.create(name, "{}");
    const gone = await region.delete(last.id);
    await region.head("d", gone);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof region.replica.listNamespace>> =
        await region.replica.listNamespace({ namespace: "demo/shop/prod", cursor, limit: 2 });
      seen.push(...page.entries.map((entry) => entry.name));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(["demo/shop/prod/a", "demo/shop/prod/b", "demo/shop/prod/c"]);
  });

  it("E12 goes on from its storage after it died in the middle of its alarm", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    const before = await region.head("a.json", made.index);
    await abortAllDurableObjects();
    const pages = region.faults.core.calls.edgeSnapshot;
    expect(await region.head("a.json", made.index)).toEqual(before);
    const index = await region.release(made.id, "[]");
    expect(await region.head("a.json", index)).toMatchObject({ version: 2 });
    expect(region.faults.core.calls.edgeSnapshot).toBe(pages);
  });

  it("E7 serves what it has while the core is away, tells its age, and catches up", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    const before = await region.head("a.json", made.index);
    region.faults.core.failure = new Error("connection refused");
    const index = await region.release(made.id, "[]");
    await until(async () => (await region.replica.ensureFollowing()).age_ms > 0);
    const answer = await region.replica.lookup({ names: [before.name] });
    expect(answer.entries).toEqual([before]);
    region.faults.core.failure = null;
    expect(await region.head("a.json", index)).toMatchObject({ version: 2, index });
    await until(async () => (await region.replica.ensureFollowing()).age_ms === 0);
  });

  it("E7 a region that never synced answers an error, not an empty head", async () => {
    const region = new TestRegion();
    region.faults.core.failure = new Error("connection refused");
    region.faults.timing.firstSyncWaitMs = 100;
    expect(await region.replica.ensureFollowing()).toMatchObject({ epoch: 0, index: 0 });
    // The call is made inside the object: an error that crosses a stub is also reported as unhandled by the runtime.
    const refused = await runInDurableObject(region.replica, async (instance) => {
      try {
        await instance.changesSince({ cluster_id: "", epoch: 0, since: 0 });
        return "answered";
      } catch (error) {
        return (error as { code?: string }).code;
      }
    });
    expect(refused).toBe("unavailable");
    region.faults.core.failure = null;
    await until(async () => (await region.replica.ensureFollowing()).epoch === 1);
  });

  it("E11 does not move the head while KV refuses the document", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    const before = await region.head("a.json", made.index);
    region.faults.kvFailure = new Error("KV PUT failed: 503");
    const index = await region.release(made.id, "[]");
    const polls = region.faults.core.calls.edgeFeed;
    await until(() => region.faults.core.calls.edgeFeed > polls + 2);
    const held = await region.replica.lookup({ names: [before.name], min_index: index, wait_ms: 0 });
    expect(held).toMatchObject({ reached: false, entries: [before] });
    region.faults.kvFailure = null;
    expect(await region.head("a.json", index)).toMatchObject({ version: 2, index });
  });

  it("E11 an event that can never be compiled holds nothing else up", async () => {
    const region = new TestRegion();
    const bad = await region.create("bad.json", "{}");
    const before = await region.head("bad.json", bad.index);
    region.faults.core.editFeed = (answer) => {
      for (const event of answer.entries.flatMap((entry) => entry.events)) {
        if (event.type === "config_changed" && event.name === "bad.json") event.variants = [];
      }
      return answer;
    };
    await region.release(bad.id, "[]");
    const good = await region.create("good.json", "{}");
    expect((await region.head("good.json", good.index)).doc).not.toBeNull();
    expect(await region.head("bad.json", good.index)).toEqual(before);
  });

  it("E11 takes no bytes that do not have the hash they were asked by", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    await region.head("a.json", made.index);
    region.faults.core.editFeed = (answer) => ({
      ...answer,
      blobs: Object.fromEntries(Object.keys(answer.blobs).map((sha256) => [sha256, btoa("!!")])),
    });
    const index = await region.release(made.id, "[]");
    const polls = region.faults.core.calls.edgeFeed;
    await until(() => region.faults.core.calls.edgeFeed > polls + 2);
    region.faults.core.editFeed = (answer) => answer;
    const entry = await region.head("a.json", index);
    expect(textOf(await kvDocument(entry.doc))).toBe("[]");
  });
});
