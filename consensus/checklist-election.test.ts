/** The checklist of the consensus core, elections: one test for each item. */
import { describe, expect, it } from "vitest";
import {
  bytes,
  memberWith,
  persist,
  settle,
  startThree,
  ticks,
  voters,
  work,
} from "./raft/members.testing.ts";
import { restart, startMember } from "./raft/members.testing.ts";
import type { Message } from "./raft/types.ts";

const vote = { type: "vote", from: 2, to: 1, term: 2, lastIndex: 3, lastTerm: 1, transfer: false } as const;

describe("R1 checklist: elections", () => {
  it("vote and term are durable before the reply", () => {
    const one = memberWith({ terms: [1, 1, 1] });
    one.raw.step(vote);
    const batch = one.raw.ready();
    expect(batch.messagesNow).toEqual([]);
    expect(batch.hardState).toEqual({ term: 2, vote: 2, commit: 0 });
    expect(batch.messages).toMatchObject([{ type: "vote_reply", to: 2, term: 2, granted: true }]);
    // A crash now: the reply was never sent, and neither was anything written.
    restart(one);
    one.raw.step({ ...vote, from: 3 });
    expect(persist(one, one.raw.ready())).toMatchObject([{ to: 3, term: 2, granted: true }]);
    // A crash after the reply: the vote is remembered, and given again only to the same.
    restart(one);
    one.raw.step(vote);
    one.raw.step({ ...vote, from: 3 });
    expect(work(one)).toMatchObject([
      { to: 2, granted: false },
      { to: 3, granted: true },
    ]);
    // So is a term that was learned without voting.
    one.raw.step({ ...vote, term: 9, lastIndex: 0, lastTerm: 0 });
    expect(work(one)).toMatchObject([{ term: 9, granted: false }]);
    restart(one);
    expect(one.raw.status()).toMatchObject({ term: 9, vote: 0 });
    // And a vote in a term that was durable before it.
    one.raw.step({ ...vote, term: 9 });
    expect(persist(one, one.raw.ready())).toMatchObject([{ to: 2, term: 9, granted: true }]);
    restart(one);
    expect(one.raw.status()).toMatchObject({ term: 9, vote: 2 });
  });

  it("a learner votes when asked and able", () => {
    // It may have been made a voter by an entry that has not reached it, and the cluster may need its vote.
    const membership = { voters: [2, 3], outgoing: [], learners: [1] };
    const learner = memberWith({ terms: [1, 1], membership });
    learner.raw.step(vote);
    expect(work(learner)).toMatchObject([{ type: "vote_reply", to: 2, granted: true }]);
    expect(learner.hard).toMatchObject({ term: 2, vote: 2 });
    ticks(learner, 50);
    expect(learner.raw.status().role).toBe("follower");
    // Able: not for a second candidate, nor for a shorter log.
    learner.raw.step({ ...vote, from: 3 });
    learner.raw.step({ ...vote, from: 3, term: 3, lastIndex: 1 });
    expect(work(learner)).toMatchObject([{ granted: false }, { granted: false }]);
  });

  it("PreVote with a longer log at a lower term does not deadlock", () => {
    // The one of three that is down leaves two: only `longer` can win, and only in a term past that of `shorter`.
    const longer = memberWith({ id: 1, terms: [1, 1, 1] });
    const shorter = memberWith({ id: 2, terms: [1], hard: { term: 6, vote: 2, commit: 0 } });
    for (let i = 0; i < 100 && longer.raw.status().role !== "leader"; i += 1) {
      ticks(longer, 1);
      ticks(shorter, 1);
      settle([longer, shorter]);
    }
    expect(longer.raw.status()).toMatchObject({ role: "leader", commit: 4 });
    expect(shorter.raw.status()).toMatchObject({ leader: 1, commit: 4 });
  });

  it("a removed node cannot disrupt", () => {
    const three = startThree();
    const [one, two] = three;
    const removed = startMember(4, voters());
    const members = [...three, removed];
    one.raw.changeMembership({ voters: [1, 2, 3, 4], learners: [] });
    settle(members);
    ticks(one, 1);
    settle(members);
    expect(removed.raw.status()).toMatchObject({ leader: 1, membership: voters(1, 2, 3, 4) });
    // It never hears that it was removed, and goes on asking; the others go on hearing their leader.
    const toRemoved = (message: Message): boolean => message.to === 4;
    expect(one.raw.changeMembership({ voters: [1, 2, 3], learners: [] })).toMatchObject({ ok: true });
    settle(members, toRemoved);
    const { term } = one.raw.status();
    for (let i = 0; i < 60; i += 1) {
      for (const member of members) ticks(member, 1);
      settle(members, toRemoved);
    }
    expect(removed.raw.status().role).toBe("pre_candidate");
    // Not even one without PreVote, whose term runs ahead.
    const rude: Message = { ...vote, from: 4, to: 2, term: term + 7, lastIndex: 99, lastTerm: term };
    two.raw.step(rude);
    one.raw.step({ ...rude, to: 1 });
    settle(members, toRemoved);
    expect(one.raw.status()).toMatchObject({ role: "leader", term });
    expect(two.raw.status()).toMatchObject({ leader: 1, term });
    expect(one.raw.propose(bytes("on"))).toMatchObject({ ok: true });
  });
});
