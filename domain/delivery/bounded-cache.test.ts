import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BoundedCache } from "./bounded-cache.ts";

describe("BoundedCache", () => {
  it("never answers a wrong value and never holds more than its bound", () => {
    const operation = fc.record({
      key: fc.constantFrom("a", "b", "c", "d", "e"),
      weight: fc.nat(6),
      read: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const cache = new BoundedCache<{ n: number; weight: number }>(10);
        const last = new Map<string, { n: number; weight: number }>();
        for (const [n, { key, weight, read }] of operations.entries()) {
          if (read) {
            const found = cache.get(key);
            if (found !== undefined) expect(found).toBe(last.get(key));
          } else {
            const value = { n, weight };
            last.set(key, value);
            cache.set(key, value, weight);
          }
          const held = [...last].filter(([k]) => cache.has(k)).reduce((sum, [, v]) => sum + v.weight, 0);
          expect(held).toBeLessThanOrEqual(10);
        }
      }),
    );
  });

  it("keeps what is read and forgets what is not", () => {
    const cache = new BoundedCache<number>(4);
    cache.set("hot", 1, 1);
    for (let i = 0; i < 50; i += 1) {
      expect(cache.get("hot")).toBe(1);
      cache.set(`cold-${i}`, i, 1);
    }
    expect(cache.has("cold-0")).toBe(false);
  });

  it("does not hold what is too heavy, and clears", () => {
    const cache = new BoundedCache<number>(4);
    cache.set("a", 1, 1);
    cache.set("a", 2, 3);
    expect(cache.get("a")).toBeUndefined();
    cache.set("b", 1, 1);
    cache.clear();
    expect(cache.get("b")).toBeUndefined();
  });
});
