import { describe, expect, it } from "vitest";
import { applyCommand, type ApplyOutcome } from "../command/apply-command.ts";
import type { Command } from "../command/command.ts";
import { parseCommand } from "../command/command-schema.ts";
import { MemoryState } from "../command/memory-state.ts";
import { testCommand } from "../command/testing-commands.ts";
import { findNodeRecord, listNodeRecords } from "./node-record.ts";

const four = { node_id: 4, raft_address: "h:7504", url: "http://h:7404", disk_id: "d1" };

function machine(): { state: MemoryState; apply: (command: Command) => ApplyOutcome } {
  const state = new MemoryState();
  let index = 0;
  return {
    state,
    apply: (command) => {
      index += 1;
      const where = { index, prevFeedIndex: index - 1, timestampMs: 1, clusterId: "c1", epoch: 1 };
      const applied = applyCommand({ state, command, attachments: [], ...where });
      state.apply(applied.changes);
      return applied.outcome;
    },
  };
}

describe("R5 what the state knows of nodes", () => {
  it("registers a node, and the same again", () => {
    const { state, apply } = machine();
    for (let i = 0; i < 2; i += 1)
      expect(apply(testCommand("register_node", four))).toMatchObject({ ok: true });
    expect(listNodeRecords(state, 10)).toEqual([{ ...four, removed: false }]);
  });

  it.each([
    { what: "another disk", more: { disk_id: "d2" }, says: "another disk" },
    { what: "another address", more: { raft_address: "h:1" }, says: "is at h:7504" },
  ])("refuses a known id with $what", ({ more, says }) => {
    const { state, apply } = machine();
    apply(testCommand("register_node", four));
    expect(apply(testCommand("register_node", { ...four, ...more }))).toMatchObject({
      ok: false,
      code: "already_exists",
      detail: expect.stringContaining(says) as unknown,
    });
    expect(findNodeRecord(state, 4)).toEqual({ ...four, removed: false });
  });

  it("moves a node that it knows, disk and all, and no other", () => {
    const { state, apply } = machine();
    const move = testCommand("move_node", { node_id: 4, raft_address: "h:1" });
    expect(apply(move)).toMatchObject({ ok: false, code: "not_found" });
    apply(testCommand("register_node", four));
    for (let i = 0; i < 2; i += 1) expect(apply(move)).toMatchObject({ ok: true, result: { node_id: 4 } });
    expect(findNodeRecord(state, 4)).toEqual({ ...four, raft_address: "h:1", removed: false });
    apply(testCommand("retire_node", { node_id: 4 }));
    expect(apply(move)).toMatchObject({ ok: false, code: "already_exists" });
  });

  it("never takes an id again that was removed, registered before or not", () => {
    const { state, apply } = machine();
    apply(testCommand("register_node", four));
    for (const node_id of [1, 4, 4]) {
      expect(apply(testCommand("retire_node", { node_id }))).toMatchObject({ ok: true });
    }
    expect(listNodeRecords(state, 10).map((r) => [r.node_id, r.removed])).toEqual([
      [1, true],
      [4, true],
    ]);
    for (const node_id of [1, 4]) {
      expect(apply(testCommand("register_node", { ...four, node_id }))).toMatchObject({
        ok: false,
        detail: expect.stringContaining("never used again") as unknown,
      });
    }
  });

  it("an operation without a change is in the feed for its audit", () => {
    const { apply } = machine();
    expect(apply(testCommand("note_operation", { summary: "s" }))).toMatchObject({ ok: true, result: {} });
  });

  it.each([
    { ...four, node_id: 0 },
    { ...four, node_id: 1.5 },
    { ...four, raft_address: "" },
    { ...four, url: "x".repeat(300) },
    { ...four, extra: 1 },
  ])("a command that is out of shape does not enter the log: %o", (payload) => {
    expect(parseCommand(testCommand("register_node", payload))).toMatchObject({ ok: false });
  });
});
