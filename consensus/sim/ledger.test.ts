import { describe, expect, it } from "vitest";
import type { Membership, Message } from "../raft/types.ts";
import { encodeMembership } from "../raft/raw-node.ts";
import { Ledger } from "./ledger.ts";
import { encodeSimCommand } from "./sim-command.ts";
import { SimState } from "./sim-state.ts";

const FIRST: Membership = { voters: [1, 2, 3], outgoing: [], learners: [] };
const SECOND: Membership = { voters: [1, 2], outgoing: [], learners: [3] };
const command = (attempt: number): Uint8Array =>
  encodeSimCommand({ client: "c", sequence: 1, attempt, key: "k", value: "v", stampMs: 5 });

function apply(ledger: Ledger, data: Uint8Array): void {
  const state = new SimState();
  state.apply(1, data);
  ledger.noteApplied(1, state, data);
}

/** What node 1, leader of term 1, sends to node 2; the second membership is entry 5. */
function append(commit: number): Message {
  const entry = { index: 5, term: 1, kind: "membership" as const, data: encodeMembership(SECOND) };
  const entries = [entry];
  return { type: "append", from: 1, to: 2, term: 1, prevIndex: 4, prevTerm: 1, commit, entries };
}

function snapshot(index: number, membership: Membership): Message {
  return { type: "snapshot", from: 1, to: 3, term: 1, meta: { index, term: 1, membership } };
}

describe("R16 the ledger sees", () => {
  it("R14 a command that was called not proposed and is applied, before or after it was", () => {
    const before = new Ledger(FIRST);
    before.noteNotProposed(command(1));
    expect(() => apply(before, command(1))).toThrow("was called not proposed");
    const after = new Ledger(FIRST);
    apply(after, command(1));
    expect(() => after.noteNotProposed(command(1))).toThrow("but applied at 1");
    // Another try of the same write is another proposal.
    after.noteNotProposed(command(2));
  });

  it("R4 a snapshot with a membership that was not in force at its index", () => {
    const ledger = new Ledger(FIRST);
    ledger.noteSent(append(4));
    ledger.noteSent(snapshot(6, FIRST));
    ledger.noteSent(snapshot(6, SECOND));
    expect(() => ledger.noteSent(snapshot(4, SECOND))).toThrow("snapshot of 4 by 1 has the membership");
    // Its own leader says that the second one is committed: the first is not in force after it.
    ledger.noteSent(append(5));
    expect(() => ledger.noteSent(snapshot(6, FIRST))).toThrow("snapshot of 6 by 1 has the membership");
    ledger.noteSent(snapshot(6, SECOND));
  });

  it("R4 nothing wrong in a snapshot beside what a deposed leader wrote and sends once another membership is committed", () => {
    const ledger = new Ledger(FIRST);
    const data = encodeMembership(SECOND);
    const later = { index: 6, term: 2, kind: "membership" as const, data };
    const of = { type: "append" as const, from: 2, to: 3, term: 2, prevIndex: 5, prevTerm: 2 };
    ledger.noteSent({ ...of, commit: 6, entries: [later] });
    ledger.noteSent(append(4));
    ledger.noteSent({ ...snapshot(5, FIRST), from: 2, term: 2 });
    expect(ledger.memberships()).toEqual([SECOND]);
  });
});
