import { beforeEach, describe, expect, it } from "vitest";
import { applyCommand } from "./apply-command.ts";
import { checkInvariants } from "./check-invariants.ts";
import { MemoryState } from "./memory-state.ts";
import { sampleInvariants } from "./sample-invariants.ts";
import { scanAll } from "./scan-all.ts";
import { type StateChange, stateKey } from "./state-view.ts";
import { testCommand, testConfigPayload, testRule } from "./testing-commands.ts";

const SHA256 = "a".repeat(64);
let state: MemoryState;
beforeEach(() => {
  state = new MemoryState();
  for (let index = 1; index <= 7; index += 1) {
    const payload = testConfigPayload(`n${index}`, SHA256, { releases: [testRule(1)] });
    const command = testCommand("create_config", payload);
    const input = { state, command, attachments: [new Uint8Array(3)], index, prevFeedIndex: 0 };
    state.apply(applyCommand({ ...input, timestampMs: 1000 + index, clusterId: "c1", epoch: 1 }).changes);
  }
});

describe("R11 a sample of the state's invariants", () => {
  it("goes through all configs a few at a time, and finds nothing wrong in a sound state", () => {
    expect(checkInvariants(state)).toEqual([]);
    const seen: (string | null)[] = [];
    for (let cursor: string | null = null, i = 0; i === 0 || cursor !== null; i += 1) {
      const { wrong, next } = sampleInvariants(state, { cursor, limit: 3 });
      expect(wrong).toEqual([]);
      seen.push(next);
      cursor = next;
    }
    const keys = [...scanAll(state, "c/")].map(({ key }) => key);
    expect(seen).toEqual([keys[2], keys[5], null]);
  });

  const version = (id: number): string => stateKey.version("cfg-c1-4", id);
  it.each<[string, StateChange, string]>([
    ["a version that is gone", { op: "delete", key: version(1) }, "cfg-c1-4: version 1 is missing"],
    [
      "a version past the latest",
      { op: "put_json", key: version(2), value: {} },
      "a version past the latest",
    ],
    ["bytes that are gone", { op: "delete", key: stateKey.blob("demo", SHA256) }, "missing or not counted"],
    [
      "bytes nobody counts",
      { op: "delete", key: stateKey.blobRefs("demo", SHA256) },
      "missing or not counted",
    ],
    [
      "a name that leads elsewhere",
      { op: "put_json", key: stateKey.configByName("demo", "shop", "prod", "n4"), value: "cfg-c1-5" },
      "cfg-c1-4 is not found by its name",
    ],
    [
      "a tombstone of what lives",
      { op: "put_json", key: stateKey.deletedConfig("cfg-c1-4"), value: {} },
      "cfg-c1-4 lives and has a tombstone",
    ],
  ])("finds %s", (_name, change, sentence) => {
    state.apply([change]);
    expect(sampleInvariants(state, { cursor: null, limit: 99 }).wrong.join("; ")).toContain(sentence);
  });
});
