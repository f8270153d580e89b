import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { ContentStore } from "./content-store.ts";
import { UNKEPT_BYTES_MAX } from "./limits.ts";
import { TestRegion, until } from "./testing/test-region.ts";

const CONFIGS = 12;
const WRITES_BEFORE_FAILURE = 5;

describe("the contents of a replica", () => {
  it("E7 what KV has taken of a feed answer before it failed is not written again", async () => {
    const region = new TestRegion();
    const first = await region.create("first.json", "0");
    await region.head("first.json", first.index);
    const { faults } = region;
    faults.core.failure = new Error("connection refused");
    let index = 0;
    for (let i = 0; i < CONFIGS; i += 1) ({ index } = await region.create(`c${i}.json`, `${i}`));
    const writes: string[] = [];
    let hasFailed = false;
    faults.kvWrites = new Proxy(writes, {
      set(list, key, value: unknown) {
        const isSet = Reflect.set(list, key, value);
        if (list.length === WRITES_BEFORE_FAILURE && !hasFailed) {
          hasFailed = true;
          faults.kvFailure = new Error("KV is away");
        }
        return isSet;
      },
    });
    faults.core.failure = null;
    await until(() => hasFailed);
    faults.kvFailure = null;
    for (let i = 0; i < CONFIGS; i += 1) expect((await region.head(`c${i}.json`, index)).doc).not.toBeNull();
    expect([writes.length, new Set(writes).size]).toEqual([CONFIGS, CONFIGS]);
  });

  it("E7 are read before and after they are kept, and are kept when they are too many to be held", async () => {
    const region = new TestRegion();
    const { index } = await region.create("a.json", "0");
    await region.head("a.json", index);
    const found = await runInDurableObject(region.replica, (_replica, { storage }) => {
      const store = new ContentStore(storage);
      const rows = (): number =>
        storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM content WHERE key LIKE 'k%'").one().n;
      store.take("k1", new Uint8Array([1, 2]), 5);
      const before = [rows(), store.writtenAt("k1"), [...(store.read("k1") ?? [])]];
      store.keepAll();
      const after = [rows(), store.writtenAt("k1"), [...(store.read("k1") ?? [])]];
      store.take("k2", new Uint8Array(UNKEPT_BYTES_MAX), 6);
      const held = rows();
      store.take("k3", new Uint8Array(1), 7);
      return { before, after, held, kept: rows() };
    });
    expect(found).toEqual({ before: [0, 5, [1, 2]], after: [1, 5, [1, 2]], held: 1, kept: 3 });
  });
});
