import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { applyCommand } from "./apply-command.ts";
import { checkContentRefs } from "./check-content-refs.ts";
import { MemoryState } from "./memory-state.ts";
import { type StateChange, stateKey } from "./state-view.ts";
import { testCommand, testConfigPayload } from "./testing-commands.ts";

const CONTENTS = 20;
const hashOf = (i: number): string => createHash("sha256").update(String(i)).digest("hex");
let state: MemoryState;
beforeEach(() => {
  state = new MemoryState();
  // Two configs of each content.
  for (let index = 1; index <= 2 * CONTENTS; index += 1) {
    const command = testCommand("create_config", testConfigPayload(`n${index}`, hashOf(index % CONTENTS)));
    const input = { state, command, attachments: [new Uint8Array(3)], index, prevFeedIndex: 0 };
    state.apply(applyCommand({ ...input, timestampMs: 1000 + index, clusterId: "c1", epoch: 1 }).changes);
  }
});

describe("R11 R13 contents are counted share by share when there are many", () => {
  it.each([1, 3, CONTENTS, 1000])("%i at once find nothing wrong in a sound state", (atOnceMax) => {
    expect(checkContentRefs(state, atOnceMax)).toEqual([]);
  });

  it("holds no more than a share of them at a time, and each in one share", () => {
    const reads: string[] = [];
    const scan = state.scan.bind(state);
    state.scan = (prefix, options) => {
      if (options.after === undefined) reads.push(prefix);
      return scan(prefix, options);
    };
    expect(checkContentRefs(state, 5)).toEqual([]);
    // Once to count them, then once for each of four shares.
    expect(reads.filter((prefix) => prefix === "r/")).toHaveLength(5);
  });

  const refs = (i: number): string => stateKey.blobRefs("demo", hashOf(i));
  it.each<[string, StateChange, string]>([
    ["a count that is gone", { op: "delete", key: refs(7) }, `${refs(7)} is missing`],
    ["a count too high", { op: "put_json", key: refs(7), value: 3 }, `${refs(7)} is 3, versions make it 2`],
    [
      "a count of nothing",
      { op: "put_json", key: refs(99), value: 1 },
      `${refs(99)} is 1, versions make it 0`,
    ],
    [
      "bytes that are gone",
      { op: "delete", key: stateKey.blob("demo", hashOf(7)) },
      `${refs(7)} counts bytes that are missing`,
    ],
    [
      "a count under what is no hash",
      { op: "put_json", key: "r/demo/none", value: 1 },
      "r/demo/none is 1, versions make it 0",
    ],
  ])("finds %s, in whichever share it is", (_name, change, sentence) => {
    state.apply([change]);
    for (const atOnceMax of [1, 3, 1000]) expect(checkContentRefs(state, atOnceMax)).toContain(sentence);
  });
});
