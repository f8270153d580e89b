import { expect, it } from "vitest";
import { CURSOR_TTL_S, type CursorStore } from "../../../contracts/projection/cursor-store.ts";

/** What every `CursorStore` promises. `make` answers stores over the same cursors, with a clock each. */
export function cursorStoreConformance(make: (nowMs: () => number) => CursorStore): void {
  const nowMs = Date.UTC(2026, 0, 1);
  const store = make(() => nowMs);
  let serial = 0;
  const newKey = (clusterId = "c1") => ({ projection: `p${(serial += 1)}`, clusterId });
  const at = (epoch: number, index: number) => ({ epoch, index });

  it("a cursor that was never moved is none", async () => {
    expect(await store.read(newKey())).toBeNull();
  });

  it("moves forward by index and by epoch, and is read where it stands", async () => {
    const key = newKey();
    expect(await store.advance(key, { from: null, to: at(1, 5) })).toBe(true);
    expect(await store.advance(key, { from: at(1, 5), to: at(1, 9_007_199_254_740_991) })).toBe(true);
    expect(await store.read(key)).toEqual(at(1, 9_007_199_254_740_991));
    expect(await store.advance(key, { from: at(1, 9_007_199_254_740_991), to: at(2, 3) })).toBe(true);
    expect(await store.read(key)).toEqual(at(2, 3));
  });

  it("a writer behind loses and changes nothing", async () => {
    const key = newKey();
    await store.advance(key, { from: null, to: at(2, 10) });
    for (const from of [null, at(1, 10), at(2, 9), at(2, 11)]) {
      expect(await store.advance(key, { from, to: at(3, 99) })).toBe(false);
    }
    expect(await store.read(key)).toEqual(at(2, 10));
  });

  it("a repeated move answers false and leaves the cursor where it put it", async () => {
    const key = newKey();
    await store.advance(key, { from: null, to: at(1, 1) });
    const move = { from: at(1, 1), to: at(1, 2) };
    expect([await store.advance(key, move), await store.advance(key, move)]).toEqual([true, false]);
    expect(await store.read(key)).toEqual(at(1, 2));
  });

  it.each([at(1, 5), at(1, 4), at(0, 9)])("a move from 1/5 to %o is refused", async (to) => {
    const key = newKey();
    await store.advance(key, { from: null, to: at(1, 5) });
    await expect(store.advance(key, { from: at(1, 5), to })).rejects.toBeInstanceOf(RangeError);
    expect(await store.read(key)).toEqual(at(1, 5));
  });

  it("of many at one place exactly one wins, every time", async () => {
    const key = newKey();
    for (let round = 0; round < 5; round += 1) {
      const from = await store.read(key);
      const moves = Array.from({ length: 8 }, (_, i) => at(1, round * 10 + i + 1));
      const won = await Promise.all(moves.map((to) => store.advance(key, { from, to })));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await store.read(key)).toEqual(moves[won.indexOf(true)]);
    }
  });

  it("cursors of other projections and clusters are their own", async () => {
    const key = newKey("a/b");
    await store.advance(key, { from: null, to: at(1, 1) });
    expect(await store.read({ ...key, clusterId: "a" })).toBeNull();
    expect(await store.read({ ...key, projection: `${key.projection}x` })).toBeNull();
  });

  it("L5 one that has expired is none, and may be begun anew before it is removed", async () => {
    const key = newKey();
    await store.advance(key, { from: null, to: at(3, 7) });
    const beforeEnd = nowMs + CURSOR_TTL_S * 1000 - 1000;
    expect(await storeAt(beforeEnd).read(key)).toEqual(at(3, 7));
    const later = storeAt(beforeEnd + 1000);
    expect(await later.read(key)).toBeNull();
    expect(await later.advance(key, { from: null, to: at(1, 1) })).toBe(true);
    expect(await later.read(key)).toEqual(at(1, 1));
  });

  function storeAt(thenMs: number): CursorStore {
    return make(() => thenMs);
  }
}
