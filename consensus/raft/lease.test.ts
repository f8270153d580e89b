import { beforeEach, describe, expect, it } from "vitest";
import {
  bytes,
  CONFIG,
  type Member,
  memberWith,
  restart,
  settle,
  startMember,
  startThree,
  ticks,
  voters,
  work,
} from "./members.testing.ts";
import { LEASE_PROMISE_TICKS_MAX } from "./lease.ts";
import type { Message } from "./types.ts";

let nowTicks = 0;
const lease = { nowTicks: () => nowTicks, driftTicks: 2 };
/** How long after it was sent a heartbeat gives a lease. */
const LEASE_TICKS = CONFIG.electionTicks - 1 - lease.driftTicks;
beforeEach(() => {
  nowTicks = 0;
});
/** A tick on every clock and timer. */
function beat(members: readonly Member[], lost?: (message: Message) => boolean): void {
  nowTicks += 1;
  for (const member of members) ticks(member, 1);
  settle(members, lost);
}
const isReply = (message: Message): boolean => message.type === "heartbeat_reply";
const vote = { type: "vote", from: 3, to: 2, term: 2, lastIndex: 9, lastTerm: 1, transfer: false } as const;

describe("R6 reads by lease: the leader", () => {
  it("answers at once while a quorum acknowledged what it sent lately, and not an instant longer", () => {
    const members = startThree({ lease });
    const [one, two] = members;
    expect(one.raw.leaseIndex()).toBeNull();
    beat(members);
    one.raw.propose(bytes("a"));
    settle(members);
    expect(one.raw.leaseIndex()).toBe(2);
    expect(two.raw.leaseIndex()).toBeNull();
    // One answer of two makes a quorum with the leader itself.
    beat(members, (m) => isReply(m) && m.from === 3);
    nowTicks += LEASE_TICKS - 0.01;
    expect(one.raw.leaseIndex()).toBe(2);
    nowTicks += 0.01;
    expect(one.raw.leaseIndex()).toBeNull();
    beat(members);
    expect(one.raw.leaseIndex()).toBe(2);
  });

  it("counts from when a heartbeat was sent, however late its answer comes", () => {
    const members = startThree({ lease });
    const [one, two] = members;
    ticks(one, 1);
    for (const message of work(one)) if (message.to === 2) two.raw.step(message);
    const late = work(two);
    nowTicks += LEASE_TICKS;
    for (const message of late) one.raw.step(message);
    expect(one.raw.leaseIndex()).toBeNull();
  });

  it("measures by the clock when it is asked: a stop of the process is not slept through", () => {
    const members = startThree({ lease });
    const [one] = members;
    beat(members);
    expect(one.raw.leaseIndex()).toBe(1);
    // Stopped and continued: no tick has come yet, the clock went on.
    nowTicks += 1000;
    expect(one.raw.leaseIndex()).toBeNull();
  });

  it("has none before the first commit of its term, none without the setting, and needs nobody when alone", () => {
    const members = [1, 2, 3].map((id) => startMember(id, voters(1, 2, 3), { lease }));
    for (const member of members) ticks(member, member.id === 1 ? 15 : CONFIG.electionTicks);
    settle(members, (m) => m.type === "append");
    beat(members, (m) => m.type === "append");
    expect(members[0]?.raw.status()).toMatchObject({ role: "leader", commit: 0 });
    expect(members[0]?.raw.leaseIndex()).toBeNull();
    const plain = startThree();
    beat(plain);
    expect(plain[0].raw.leaseIndex()).toBeNull();
    const alone = startMember(1, voters(1), { lease });
    alone.raw.campaign();
    settle([alone]);
    expect(alone.raw.leaseIndex()).toBe(1);
  });

  it("lasts as long as those promised whom it needs, whatever the leader would promise itself", () => {
    const waiting = (id: number, electionTicks: number): Member =>
      startMember(id, voters(1, 2, 3), { lease, electionTicks });
    for (const [third, promised] of [
      [4, 4],
      [6, 6],
      // One that knows of no leases promises nothing, and is not needed.
      [0, 4],
      // Nor does anyone promise more than it would keep after a new start.
      [50, LEASE_PROMISE_TICKS_MAX],
    ] as const) {
      nowTicks = 0;
      const last = third === 0 ? startMember(3, voters(1, 2, 3)) : waiting(3, third);
      const members = [waiting(1, 10), waiting(2, 4), last];
      const one = members[0]!;
      for (const member of members) ticks(member, member.id === 1 ? 15 : LEASE_PROMISE_TICKS_MAX);
      if (third === 50) ticks(last, third - LEASE_PROMISE_TICKS_MAX);
      settle(members, (m) => m.type === "pre_vote" && m.from !== 1);
      expect(one.raw.status().role).toBe("leader");
      beat(members);
      nowTicks += promised - 1 - lease.driftTicks - 0.01;
      expect(one.raw.leaseIndex(), `${third}`).toBe(1);
      nowTicks += 0.01;
      expect(one.raw.leaseIndex(), `${third}`).toBeNull();
    }
  });

  it("has none by members that promise nothing", () => {
    const members = [1, 2, 3].map((id) => startMember(id, voters(1, 2, 3), id === 1 ? { lease } : {}));
    for (const member of members) ticks(member, member.id === 1 ? 15 : 0);
    settle(members);
    beat(members);
    expect(members[0]?.raw.status()).toMatchObject({ role: "leader", commit: 1 });
    expect(members[0]?.raw.leaseIndex()).toBeNull();
  });

  it("needs both majorities of a joint membership", () => {
    const four = startMember(4, voters(), { lease });
    const five = startMember(5, voters(), { lease });
    const members = [...startThree({ lease }), four, five];
    const one = members[0]!;
    beat(members);
    one.raw.changeMembership({ voters: [1, 4, 5], learners: [] });
    expect(one.raw.status().membership.outgoing).toEqual([1, 2, 3]);
    // The new half has acknowledged nothing yet.
    expect(one.raw.leaseIndex()).toBeNull();
    // Nor is it enough alone.
    for (let i = 0; i < LEASE_TICKS; i += 1) beat(members, (m) => m.from === 2 || m.from === 3);
    expect(one.raw.status().membership.outgoing).toEqual([1, 2, 3]);
    expect(one.raw.leaseIndex()).toBeNull();
    settle(members);
    beat(members);
    expect(one.raw.leaseIndex()).toBe(one.raw.status().commit);
  });
});

describe("R6 reads by lease: the promise of whoever acknowledged", () => {
  it("outlives a change of term", () => {
    const members = startThree({ lease });
    const [, two] = members;
    beat(members);
    // A node that is a term ahead lets it know, and then asks for its vote in that very term.
    two.raw.step({ type: "pre_vote_reply", from: 3, to: 2, term: 2, granted: false });
    expect(two.raw.status()).toMatchObject({ term: 2, leader: 0 });
    two.raw.step(vote);
    expect(work(two)).toMatchObject([{ type: "vote_reply", granted: false }]);
    ticks(two, CONFIG.electionTicks);
    two.raw.step(vote);
    expect(work(two)).toMatchObject([{ type: "vote_reply", granted: true }]);
  });

  it("outlives a restart, after which nobody knows what was promised", () => {
    const members = startThree({ lease });
    const [, two] = members;
    beat(members);
    restart(two, { lease });
    two.raw.step(vote);
    two.raw.campaign();
    work(two);
    expect(two.raw.status()).toMatchObject({ role: "follower", term: 1, vote: 1 });
    ticks(two, CONFIG.electionTicks);
    two.raw.step(vote);
    expect(work(two)).toMatchObject([{ type: "vote_reply", granted: true }]);
  });

  it("is kept through a restart with settings by which it would be shorter, also once a leader was heard", () => {
    const members = startThree({ lease });
    const [, two] = members;
    beat(members);
    restart(two, { lease, electionTicks: 2 });
    two.raw.step({ type: "heartbeat", from: 1, to: 2, term: 1, commit: 1, readContext: 9 });
    expect(work(two)).toMatchObject([{ type: "heartbeat_reply", promiseTicks: 2 }]);
    ticks(two, LEASE_PROMISE_TICKS_MAX - 1);
    expect(work(two)).toEqual([]);
    two.raw.step(vote);
    expect(work(two)).toEqual([]);
    ticks(two, 1);
    two.raw.step(vote);
    expect(work(two)).toContainEqual(expect.objectContaining({ type: "vote_reply", granted: true }));
  });

  it("yields to a transfer, which takes the lease away first", () => {
    const two = memberWith({ id: 2, terms: [1], config: { lease } });
    two.raw.step({ type: "heartbeat", from: 1, to: 2, term: 1, commit: 0, readContext: 1 });
    two.raw.step({ ...vote, transfer: true });
    expect(work(two)).toContainEqual(expect.objectContaining({ type: "vote_reply", granted: true }));
  });

  it("is not made without the setting", () => {
    const two = memberWith({ id: 2, terms: [1] });
    two.raw.step(vote);
    expect(work(two)).toMatchObject([{ granted: true }]);
  });
});
