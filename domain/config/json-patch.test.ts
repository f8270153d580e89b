import { array, assert, constantFrom, dictionary, jsonValue, oneof, property, string } from "fast-check";
import { applyPatch } from "fast-json-patch";
import { describe, expect, it } from "vitest";
import { JSON_PATCH_OPERATIONS_MAX, JSON_PATCH_STEPS_MAX } from "../limits.ts";
import { jsonPatch } from "./json-patch.ts";

const names = oneof(
  constantFrom("a", "b", "c/d", "e~f", "~1", "", "0", "constructor"),
  string({ maxLength: 3 }),
).filter(
  // The library that applies patches here sets it as the prototype; it has a case of its own below.
  (name) => name !== "__proto__",
);
const leaf = oneof(jsonValue({ maxDepth: 0 }), constantFrom(1, "x", null));
const values = oneof(
  leaf,
  array(oneof(leaf, dictionary(names, leaf, { maxKeys: 3 })), { maxLength: 8 }),
  dictionary(names, oneof(leaf, array(leaf, { maxLength: 5 }), dictionary(names, leaf, { maxKeys: 3 })), {
    maxKeys: 6,
  }),
);
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("C9 JSON Patch", () => {
  it("turns any value into any other when it is applied", () => {
    assert(
      property(values, values, (a, b) => {
        const [from, to] = [plain(a), plain(b)];
        const patch = jsonPatch(from, to);
        if (patch === null) throw new Error("no patch");
        expect(applyPatch(plain(from), patch, true, false).newDocument).toEqual(to);
      }),
      { numRuns: 2000 },
    );
  });

  it("C9 knows no nan and no inf: one that stays is no difference, neither is one in the place of the other", () => {
    const value = (a: unknown) => ({ a, b: [a, 1] });
    expect(jsonPatch(value(Number.NaN), value(Number.NaN))).toEqual([]);
    expect(jsonPatch(value(Infinity), value(null))).toEqual([]);
    expect(jsonPatch([Number.NaN, 1], [Number.NaN, 2])).toEqual([{ op: "replace", path: "/1", value: 2 }]);
  });

  it("is empty for the same value, whatever the order of names", () => {
    expect(jsonPatch({ a: [1, { b: 2 }], c: null }, { c: null, a: [1, { b: 2 }] })).toEqual([]);
  });

  it("takes one operation for one element put in or taken out", () => {
    expect(jsonPatch([1, 2, 3, 4], [1, 2, 9, 3, 4])).toEqual([{ op: "add", path: "/2", value: 9 }]);
    expect(jsonPatch([{ a: 1 }, { a: 2 }, { a: 3 }], [{ a: 1 }, { a: 3 }])).toEqual([
      { op: "remove", path: "/1" },
    ]);
    expect(jsonPatch({ a: { "b/c~": [1] } }, { a: { "b/c~": [2] } })).toEqual([
      { op: "replace", path: "/a/b~1c~0/0", value: 2 },
    ]);
    expect(jsonPatch([1], { a: 1 })).toEqual([{ op: "replace", path: "", value: { a: 1 } }]);
  });

  it("takes __proto__ for a name like any other", () => {
    const to: unknown = JSON.parse('{"__proto__": {"x": 1}}');
    expect(jsonPatch({}, to)).toEqual([{ op: "add", path: "/__proto__", value: { x: 1 } }]);
    expect(jsonPatch(to, {})).toEqual([{ op: "remove", path: "/__proto__" }]);
    expect(jsonPatch(to, JSON.parse('{"__proto__": {"x": 2}}'))).toEqual([
      { op: "replace", path: "/__proto__/x", value: 2 },
    ]);
  });

  it("gives up on what is too different or too much to compare", () => {
    const list = (length: number, item: unknown): unknown[] => Array<unknown>(length).fill(item);
    expect(jsonPatch(list(JSON_PATCH_OPERATIONS_MAX, 1), list(JSON_PATCH_OPERATIONS_MAX, 2))).not.toBeNull();
    expect(
      jsonPatch(list(JSON_PATCH_OPERATIONS_MAX + 1, 1), list(JSON_PATCH_OPERATIONS_MAX + 1, 2)),
    ).toBeNull();
    const long = list(JSON_PATCH_STEPS_MAX / 4, [1]);
    expect(jsonPatch(long, [...long, [...long, 2], [...long, 3]])).not.toBeNull();
    expect(jsonPatch([long, 1, long], [plain(long), 2, plain([...long, 1])])).toBeNull();
  });
});
