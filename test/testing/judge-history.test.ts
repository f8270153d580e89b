import { expect, it } from "vitest";
import type { LoadHistory, VersionOperation } from "./core-load.ts";
import { judgeHistory } from "./judge-history.ts";

const append = (value: string, version: number, calledAt: number, returnedAt: number): VersionOperation => ({
  client: "c1",
  key: "k",
  input: { kind: "append", value },
  output: { version, value },
  calledAt,
  returnedAt,
});
const sound: LoadHistory = {
  operations: [
    append("a", 2, 1, 2),
    {
      client: "c2",
      key: "k",
      input: { kind: "append", value: "b" },
      output: null,
      calledAt: 3,
      returnedAt: Infinity,
    },
    append("c", 4, 5, 6),
  ],
  weakReads: [{ key: "k", client: "c3 stale", version: 2, value: "a" }],
  final: { k: ["first", "a", "b", "c"].map((value, i) => ({ version: i + 1, value })) },
  refusals: {},
};
const finalOf = (...values: string[]): LoadHistory["final"] => ({
  k: values.map((value, i) => ({ version: i + 1, value })),
});

it("R16 finds nothing wrong with a sound history", () => {
  expect(judgeHistory(sound)).toEqual([]);
});

const wrong: [string, Partial<LoadHistory>, RegExp][] = [
  ["an acknowledged write that is lost", { final: finalOf("first", "a", "b") }, /append 4 "c" is not there/],
  ["a write applied twice", { final: finalOf("first", "a", "b", "c", "a") }, /applied twice: a/],
  [
    "a read of what never was",
    { weakReads: [{ key: "k", client: "c3", version: 2, value: "z" }] },
    /read "z"/,
  ],
  [
    "a stale linearizable read",
    {
      operations: [
        ...sound.operations,
        {
          client: "c4",
          key: "k",
          input: { kind: "read" },
          output: { version: 2, value: "a" },
          calledAt: 7,
          returnedAt: 8,
        },
      ],
    },
    /violation at k/,
  ],
];
for (const [name, change, said] of wrong) {
  it(`R16 finds ${name}`, () => {
    expect(judgeHistory({ ...sound, ...change }).join("\n")).toMatch(said);
  });
}
