/** The checklist of the consensus core, membership: one test for each item. */
import { describe, expect, it } from "vitest";
import { encodeMembership } from "./raft/raw-node.ts";
import { memberWith, settle, startMember, ticks, voters, work } from "./raft/members.testing.ts";
import type { Entry } from "./raft/types.ts";

describe("R5 checklist: membership", () => {
  it("there is no membership change before the term's own commit", () => {
    const members = [1, 2, 3].map((id) => startMember(id, voters(1, 2, 3)));
    const one = members[0]!;
    ticks(one, 15);
    settle(members, (m) => m.type === "append");
    expect(one.raw.status()).toMatchObject({ role: "leader", commit: 0 });
    const next = { voters: [1, 2, 3, 4], learners: [] };
    // A second leader could have appended a change of its own, with a majority that does not meet this one's.
    expect(one.raw.changeMembership(next)).toMatchObject({ ok: false, reason: "change_in_progress" });
    ticks(one, 1);
    settle(members);
    expect(one.raw.changeMembership(next)).toMatchObject({ ok: true });
    expect(one.raw.changeMembership(next)).toMatchObject({ ok: false, reason: "change_in_progress" });
  });

  it("truncation reverts an uncommitted membership, a snapshot overrides it", () => {
    const one = memberWith({ terms: [1] });
    const change = (index: number, term: number, ...ids: number[]): Entry => ({
      index,
      term,
      kind: "membership",
      data: encodeMembership(voters(...ids)),
    });
    const append = { type: "append", from: 2, to: 1, commit: 0, prevIndex: 1, prevTerm: 1 } as const;
    one.raw.step({ ...append, term: 1, entries: [change(2, 1, 1, 2, 3, 4)] });
    work(one);
    expect(one.raw.status().membership).toEqual(voters(1, 2, 3, 4));
    const noop: Entry = { index: 2, term: 2, kind: "noop", data: new Uint8Array() };
    one.raw.step({ ...append, from: 3, term: 2, entries: [noop] });
    expect(one.raw.status().membership).toEqual(voters(1, 2, 3));
    // Uncommitted again; the snapshot says what was really decided, whatever the log says.
    one.raw.step({ ...append, from: 3, term: 2, prevIndex: 2, prevTerm: 2, entries: [change(3, 2, 1, 2)] });
    work(one);
    expect(one.raw.status().membership).toEqual(voters(1, 2));
    const meta = { index: 9, term: 2, membership: { voters: [3, 5], outgoing: [], learners: [1] } };
    one.raw.step({ type: "snapshot", from: 3, to: 1, term: 2, meta });
    expect(one.raw.status().membership).toEqual(meta.membership);
    // What the log held before it can no longer be cut back to.
    const behind = { ...append, from: 3, term: 2, prevIndex: 9, prevTerm: 2 };
    one.raw.step({ ...behind, entries: [change(10, 2, 1, 3)] });
    one.raw.step({ ...behind, from: 5, term: 3, entries: [{ ...noop, index: 10, term: 3 }] });
    expect(one.raw.status().membership).toEqual(meta.membership);
    work(one);
    ticks(one, 50);
    expect(one.raw.status().role).toBe("follower");
  });
});
