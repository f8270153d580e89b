import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LabelList } from "./labels.ts";

describe("LabelList", () => {
  it("E1 holds what a Map of the same labels holds", () => {
    const name = fc.constantFrom("a", "b", "ip", "canary", "");
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), name, (pairs, asked) => {
        const list = new LabelList();
        for (const [key, value] of pairs) list.set(key, value);
        const map = new Map(pairs);
        expect(list.size).toBe(map.size);
        expect([...list.keys()]).toEqual([...map.keys()]);
        expect(list.get(asked)).toBe(map.get(asked));
      }),
    );
  });
});
