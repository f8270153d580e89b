import { describe, expect, it } from "vitest";
import {
  bytes,
  CONFIG,
  memberWith,
  restart,
  settle,
  startMember,
  startThree,
  ticks,
  voters,
  work,
} from "./members.testing.ts";
import type { Message } from "./types.ts";
import { encodeMembership, RaftInvariantError } from "./raw-node.ts";

describe("R5 membership and transfer", () => {
  it("adds a learner, then replaces a voter through a joint configuration by itself", () => {
    const members = [...startThree(), startMember(4, voters())];
    const one = members[0] ?? startMember(1, voters(1));
    expect(one.raw.changeMembership({ voters: [1, 2, 3], learners: [4] })).toMatchObject({ ok: true });
    expect(one.raw.changeMembership({ voters: [1, 2], learners: [] })).toMatchObject({
      reason: "change_in_progress",
    });
    settle(members);
    ticks(one, 1);
    settle(members);
    expect(members[3]?.raw.status()).toMatchObject({ leader: 1, commit: 2 });
    expect(one.raw.changeMembership({ voters: [1, 2, 4], learners: [] })).toMatchObject({
      ok: true,
      index: 3,
    });
    expect(one.raw.status().membership.outgoing).toEqual([1, 2, 3]);
    settle(members);
    expect(one.raw.status()).toMatchObject({
      commit: 4,
      membership: { voters: [1, 2, 4], outgoing: [], learners: [] },
    });
  });

  it("a leader that is left out steps aside and another takes over", () => {
    const members = startThree();
    const [one] = members;
    one.raw.changeMembership({ voters: [2, 3], learners: [] });
    settle(members);
    expect(one.raw.status().role).toBe("follower");
    const roles = members.slice(1).map((m) => m.raw.status().role);
    expect(roles.toSorted()).toEqual(["follower", "leader"]);
  });

  it("a leader that is left out asks no fenced voter to stand, though it has all of the log", () => {
    const members = startThree({ isFenced: (id) => id === 2 });
    const [one] = members;
    one.raw.changeMembership({ voters: [2, 3], learners: [] });
    const asked: number[] = [];
    settle(members, (message) => {
      if (message.type === "timeout_now") asked.push(message.to);
      return false;
    });
    expect(asked).toEqual([3]);
    expect(members[2].raw.status().role).toBe("leader");
  });

  it("hands leadership over, refusing proposals meanwhile, and gives up on a silent target", () => {
    const members = startThree();
    const [one, two, three] = members;
    expect(one.raw.transferLeader(9)).toMatchObject({ ok: false, reason: "invalid_member" });
    expect(one.raw.transferLeader(3)).toMatchObject({ ok: true });
    expect(one.raw.propose(bytes("a"))).toMatchObject({ reason: "transferring" });
    expect(one.raw.transferLeader(2)).toMatchObject({ reason: "transferring" });
    settle(members);
    expect(three.raw.status()).toMatchObject({ role: "leader", term: 2 });
    three.raw.transferLeader(2);
    settle(members, (m) => m.type === "timeout_now");
    for (let i = 0; i < 10; i += 1) {
      ticks(three, 1);
      settle(members);
    }
    expect(two.raw.status().leader).toBe(3);
    expect(three.raw.propose(bytes("a")).ok).toBe(true);
  });

  it.each([
    { voters: [], learners: [] },
    { voters: [1, 1], learners: [] },
    { voters: [1], learners: [1] },
  ])("refuses the membership $voters | $learners", (next) => {
    const [one] = startThree();
    expect(one.raw.changeMembership(next)).toMatchObject({ ok: false, reason: "invalid_member" });
  });
});

describe("R5 a node that was removed", () => {
  it("does not stand after a restart either, once it knows that its removal is committed", () => {
    const one = memberWith({ terms: [1] });
    const entry = { index: 2, term: 1, kind: "membership", data: encodeMembership(voters(2, 3)) } as const;
    one.raw.step({
      type: "append",
      from: 2,
      to: 1,
      term: 1,
      prevIndex: 1,
      prevTerm: 1,
      commit: 2,
      entries: [entry],
    });
    work(one);
    expect(one.raw.status().commit).toBe(2);
    restart(one);
    ticks(one, 50);
    expect(one.raw.status()).toMatchObject({ role: "follower", membership: voters(2, 3) });
  });

  it("asking for the same transfer again does not put off giving up", () => {
    const members = startThree();
    const [one] = members;
    const isLost = (message: Message): boolean => message.type === "timeout_now";
    for (let i = 0; i < CONFIG.electionTicks; i += 1) {
      if (i < 9) expect(one.raw.transferLeader(3)).toMatchObject({ ok: true });
      ticks(one, 1);
      settle(members, isLost);
    }
    expect(one.raw.propose(bytes("a"))).toMatchObject({ ok: true });
  });
});

describe("R11 what must not be stops the node", () => {
  it("purged <= snapshot <= applied <= committed <= last index, at every batch", () => {
    const hard = { term: 1, vote: 0, commit: 4 };
    const start = (compactedTo: number, applied: number) => () =>
      memberWith({ terms: [1, 1, 1, 1], hard, applied, compactedTo });
    expect(start(3, 2)).toThrow("out of order: purged 3, snapshot 3, applied 2");
    expect(start(4, 5)).toThrow(RaftInvariantError);
    const one = start(0, 0)();
    // The driver lets go of entries that the state machine has not got.
    one.compactedTo.index = 3;
    one.raw.step({ type: "heartbeat", from: 2, to: 1, term: 1, commit: 4, readContext: 0 });
    expect(() => one.raw.ready()).toThrow(RaftInvariantError);
  });

  it("a leader that contradicts what is committed here", () => {
    const one = memberWith({ terms: [1, 1], hard: { term: 2, vote: 0, commit: 2 }, applied: 2 });
    const append = { type: "append", from: 2, to: 1, term: 3, commit: 2, prevIndex: 2, prevTerm: 2 } as const;
    expect(() => one.raw.step({ ...append, entries: [] })).toThrow("contradicts the committed");
  });

  it("a commit past the log, an apply that was never handed out, a batch reported twice, a second leader", () => {
    const torn = { terms: [1], hard: { term: 1, vote: 0, commit: 2 } };
    expect(() => memberWith(torn)).toThrow(RaftInvariantError);
    const one = memberWith({ membership: voters(1) });
    one.raw.campaign();
    expect(() => one.raw.applied(1)).toThrow("never handed out");
    const batch = one.raw.ready();
    expect(() => one.raw.ready()).toThrow("not persisted");
    one.raw.persisted(batch);
    expect(() => one.raw.persisted(batch)).toThrow("not for the batch");
    const heartbeat = { type: "heartbeat", from: 2, to: 1, term: 1, commit: 0, readContext: 0 } as const;
    expect(() => one.raw.step(heartbeat)).toThrow("two leaders");
  });

  it("R3 entries of a later term than the hard state are a torn batch: that term is entered without a vote", () => {
    const one = memberWith({ terms: [1, 4], hard: { term: 2, vote: 3, commit: 1 }, applied: 1 });
    expect(one.raw.status()).toMatchObject({ term: 4, vote: 0, commit: 1 });
  });
});
