import { describe, expect, it } from "vitest";
import type { Batch, Entry, SnapshotMeta } from "./raft/types.ts";
import { splitCommitted } from "./raft-log-committed.ts";

const entry = (index: number): Entry => ({ index, term: 1, kind: "command", data: new Uint8Array(0) });
const snapshot: SnapshotMeta = {
  index: 3,
  term: 1,
  membership: { voters: [1], outgoing: [], learners: [] },
};

describe("R2 what is applied while a batch is written", () => {
  it.each<[string, number[], number[], SnapshotMeta | null, number[], number[]]>([
    ["all after it, when it writes none", [4, 5], [], null, [], [4, 5]],
    ["all that lie before the first it writes", [4, 5], [6, 7], null, [4, 5], []],
    ["none that it brings", [4, 5], [4, 5, 6], null, [], [4, 5]],
    ["a part", [4, 5, 6], [6, 7], null, [4, 5], [6]],
    ["none, when it writes over what was there", [4, 5], [3, 4, 5], null, [], [4, 5]],
    ["none behind a snapshot", [4, 5], [4, 5], snapshot, [], [4, 5]],
    ["nothing of nothing", [], [4], null, [], []],
  ])("%s", (_what, committed, entries, given, during, after) => {
    const batch: Batch = {
      hardState: null,
      committed: committed.map(entry),
      entries: entries.map(entry),
      snapshot: given,
      messages: [],
      messagesNow: [],
      readStates: [],
    };
    const split = splitCommitted(batch, [entry(1)]);
    expect(split.during.map(({ index }) => index)).toEqual([1, ...during]);
    expect(split.after.map(({ index }) => index)).toEqual(after);
  });
});
