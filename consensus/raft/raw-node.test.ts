import { describe, expect, it } from "vitest";
import {
  bytes,
  CONFIG,
  memberWith,
  settle,
  startMember,
  startThree,
  ticks,
  voters,
  work,
} from "./members.testing.ts";
import type { Entry, LogReader, Message } from "./types.ts";
import { createRawNode, encodeMembership } from "./raw-node.ts";

const vote = { type: "vote", from: 2, to: 1, term: 2, lastIndex: 3, lastTerm: 1, transfer: false } as const;

describe("createRawNode", () => {
  it("R1 R2 a single node elects itself and commits after its own persist", () => {
    const one = startMember(1, voters(1));
    one.raw.campaign();
    settle([one]);
    expect(one.raw.status()).toMatchObject({ role: "leader", term: 1, commit: 1 });
    expect(one.raw.propose(bytes("a"))).toEqual({ ok: true, index: 2, term: 1 });
    expect(one.raw.propose(bytes("b"))).toEqual({ ok: true, index: 3, term: 1 });
    const batch = one.raw.ready();
    expect(batch.entries).toHaveLength(2);
    expect(batch.committed).toHaveLength(0);
    expect(one.raw.status().commit).toBe(1);
    one.entries.push(...batch.entries);
    one.raw.persisted(batch);
    expect(one.raw.status().commit).toBe(3);
    settle([one]);
    expect(one.applied.map((e) => e.index)).toEqual([1, 2, 3]);
  });

  it("R1 R2 three nodes elect by ticks, replicate and commit", () => {
    const members = [1, 2, 3].map((id) => startMember(id, voters(1, 2, 3)));
    const [one] = members;
    for (let i = 0; i < 15; i += 1) one?.raw.tick();
    settle(members);
    expect(one?.raw.status()).toMatchObject({ role: "leader", term: 1, commit: 1 });
    for (let i = 0; i < 100; i += 1) one?.raw.propose(bytes(`v${i}`));
    settle(members);
    for (const member of members) {
      expect(member.raw.status()).toMatchObject({ leader: 1, commit: 101, applied: 101 });
      expect(member.entries).toEqual(one?.entries);
    }
    expect(one?.raw.readIndex(7)).toBe(true);
    settle(members);
    expect(one?.reads).toEqual([{ request: 7, index: 101 }]);
  });
});

describe("R1 votes", () => {
  it.each([
    { name: "an equal log", terms: [1, 1, 1], granted: true },
    { name: "a shorter log of the same term", terms: [1, 1], granted: true },
    { name: "a longer log", terms: [1, 1, 1, 1], granted: false },
    { name: "a shorter log of a later term", terms: [2], granted: false },
  ])("a node with $name grants: $granted", ({ terms, granted }) => {
    const one = memberWith({ terms });
    one.raw.step({ ...vote, term: 3 });
    expect(work(one)).toMatchObject([{ type: "vote_reply", to: 2, term: 3, granted }]);
    expect(one.hard).toMatchObject({ term: 3, vote: granted ? 2 : 0 });
  });

  it("a vote outlives a restart", () => {
    const one = memberWith({ terms: [1, 1, 1], hard: { term: 2, vote: 2, commit: 0 } });
    one.raw.step({ ...vote, from: 3 });
    expect(work(one)).toMatchObject([{ to: 3, granted: false }]);
  });

  it("a candidate's own vote counts once it is durable", () => {
    const one = memberWith({ membership: voters(1) });
    one.raw.campaign();
    const batch = one.raw.ready();
    expect(one.raw.status().role).toBe("candidate");
    one.raw.persisted(batch);
    expect(one.raw.status().role).toBe("leader");
  });

  it("a pre-vote changes nothing, and none is given while a leader is heard", () => {
    const [one, two] = startThree();
    const ask = { ...vote, type: "pre_vote", from: 3, to: 2, lastIndex: 9 } as const;
    two.raw.step(ask);
    two.raw.step({ ...ask, type: "vote" });
    expect(work(two)).toEqual([]);
    expect(two.raw.status()).toMatchObject({ term: 1, leader: 1 });
    ticks(two, 10);
    two.raw.step(ask);
    expect(work(two)).toMatchObject([{ type: "pre_vote_reply", term: 2, granted: true }]);
    expect(two.raw.status().term).toBe(1);
    expect(one.raw.status().role).toBe("leader");
  });

  it("R1 pre-votes are asked for again at the next tick: who was a tick behind grants them then", () => {
    const [, two, three] = startThree();
    ticks(two, 15);
    ticks(three, 9);
    const [asked] = work(two).filter(({ to }) => to === 3);
    expect(asked).toMatchObject({ type: "pre_vote", term: 2 });
    three.raw.step(asked!);
    expect(work(three)).toEqual([]);
    ticks(two, 1);
    ticks(three, 1);
    const [again] = work(two).filter(({ to }) => to === 3);
    three.raw.step(again!);
    const [reply] = work(three);
    expect(reply).toMatchObject({ type: "pre_vote_reply", granted: true });
    two.raw.step(reply!);
    expect(two.raw.status()).toMatchObject({ role: "candidate", term: 2 });
    ticks(two, 1);
    expect(work(two).filter(({ type }) => type === "pre_vote")).toEqual([]);
  });

  it("learners and nodes without a membership never stand", () => {
    const none = memberWith({ membership: voters() });
    const learner = memberWith({ membership: { voters: [2], outgoing: [], learners: [1] } });
    for (const member of [none, learner]) {
      ticks(member, 50);
      member.raw.campaign();
      expect(member.raw.status()).toMatchObject({ role: "follower", term: 0 });
    }
  });

  it("a learner whose log outranks the voters' stands when it has refused them, and steps aside once it can", () => {
    // 1, 3 and 4 vote; 4 is gone. It led term 2 and reached the learner alone, while voter 1 still holds the end of term 1:
    // a membership that was never committed, in which the learner's vote is needed.
    const committed = { voters: [1, 3, 4], outgoing: [], learners: [2] };
    const one = memberWith({ id: 1, membership: committed, terms: [1, 1] });
    const promoted = encodeMembership(voters(1, 2, 3, 4));
    one.raw.step({
      type: "append",
      from: 4,
      to: 1,
      term: 1,
      prevIndex: 2,
      prevTerm: 1,
      commit: 2,
      entries: [{ index: 3, term: 1, kind: "membership", data: promoted }],
    });
    const learner = memberWith({ id: 2, membership: committed, terms: [1, 1, 2] });
    const three = memberWith({ id: 3, membership: committed, terms: [1, 1] });
    const members = [one, learner, three];
    settle(members);
    ticks(learner, 50);
    expect(learner.raw.status().role).toBe("follower");
    for (let i = 0; i < 60 && learner.raw.status().role !== "leader"; i += 1) {
      ticks(one, 1);
      ticks(learner, 1);
      settle(members, ({ to, type }) => to === 4 || (type === "append" && to !== 2));
    }
    expect(learner.raw.status()).toMatchObject({ role: "leader", membership: committed });
    for (let i = 0; i < 60 && learner.raw.status().role === "leader"; i += 1) {
      ticks(learner, 1);
      settle(members);
    }
    const leader = members.find(({ raw }) => raw.status().role === "leader");
    expect([1, 3]).toContain(leader?.id);
    expect(leader?.raw.status()).toMatchObject({ membership: committed, commit: 5, lastIndex: 5 });
    expect(learner.raw.status()).toMatchObject({ role: "follower", leader: leader?.id });
    ticks(learner, 50);
    expect(learner.raw.status().role).toBe("follower");
  });

  it("a leader that hears no quorum steps down, one that was outrun learns the term", () => {
    const [one] = startThree();
    ticks(one, 20);
    expect(one.raw.status()).toMatchObject({ role: "follower", leader: 0, term: 1 });
    const [other, follower] = startThree();
    follower.raw.step({ ...vote, to: 2, from: 3, term: 5, transfer: true, lastIndex: 9 });
    other.raw.tick();
    settle([other, follower]);
    expect(other.raw.status()).toMatchObject({ role: "follower", term: 5 });
  });
});

describe("R2 replication", () => {
  const append = { type: "append", from: 2, to: 1, term: 5, commit: 0, entries: [] as Entry[] } as const;

  it.each([
    { name: "a match at the end", prevIndex: 6, prevTerm: 4, ok: true, matchIndex: 6, hint: [0, 0] },
    { name: "a gap", prevIndex: 9, prevTerm: 5, ok: false, matchIndex: 9, hint: [6, 4] },
    { name: "a gap behind an older term", prevIndex: 9, prevTerm: 3, ok: false, matchIndex: 9, hint: [3, 2] },
    { name: "a conflict", prevIndex: 5, prevTerm: 2, ok: false, matchIndex: 5, hint: [3, 2] },
  ])("a follower answers $name", ({ prevIndex, prevTerm, ok, matchIndex, hint }) => {
    const one = memberWith({ terms: [1, 2, 2, 4, 4, 4] });
    one.raw.step({ ...append, prevIndex, prevTerm });
    const [hintIndex, hintTerm] = hint;
    expect(work(one)).toMatchObject([{ type: "append_reply", ok, matchIndex, hintIndex, hintTerm }]);
  });

  it("a leader sends before its own write, and its own entries do not count before it", () => {
    const [one, two] = startThree();
    one.raw.propose(bytes("a"));
    const batch = one.raw.ready();
    expect(batch.messagesNow).toHaveLength(2);
    two.raw.step(batch.messagesNow[0] ?? vote);
    for (const message of work(two)) one.raw.step(message);
    expect(one.raw.status().commit).toBe(1);
    one.entries.push(...batch.entries);
    one.raw.persisted(batch);
    expect(one.raw.status().commit).toBe(2);
  });

  it("lost appends are sent again, also when the window was full of them", () => {
    const members = startThree();
    const [one, two] = members;
    for (let i = 0; i < 40; i += 1) {
      one.raw.propose(bytes(`${i}`));
      settle(members, (m) => m.type === "append" && m.to === 2);
    }
    expect(two.raw.status().lastIndex).toBe(1);
    for (let i = 0; i < 3; i += 1) {
      ticks(one, 1);
      settle(members);
    }
    expect(two.raw.status()).toMatchObject({ lastIndex: 41, commit: 41 });
  });

  it("stops streaming to a follower at the bytes on their way, and goes on as they are acknowledged", () => {
    const config = { appendBytesMax: 1000, inflightBytesMax: 3000 };
    const members = startThree(config);
    const [one] = members;
    const sentTo2 = (): number =>
      work(one).filter((m) => m.to === 2 && m.type === "append" && m.entries.length > 0).length;
    for (let i = 0; i < 10; i += 1) one.raw.propose(new Uint8Array(900));
    // Each fills a message; the fourth finds the window full.
    expect(sentTo2()).toBe(4);
    const reply = {
      type: "append_reply",
      from: 2,
      to: 1,
      term: 1,
      ok: true,
      hintIndex: 0,
      hintTerm: 0,
    } as const;
    one.raw.step({ ...reply, matchIndex: 4 });
    expect(sentTo2()).toBe(3);
  });

  it("counts against the limit of uncommitted bytes only what it proposed itself", () => {
    const one = memberWith({
      terms: [1, 1, 1],
      hard: { term: 1, vote: 0, commit: 0 },
      membership: voters(1),
    });
    one.raw.campaign();
    settle([one]);
    const large = new Uint8Array(CONFIG.uncommittedBytesMax - 200);
    const two = memberWith({ id: 2, terms: [1, 1, 1] });
    ticks(two, 15);
    settle([two]);
    two.raw.step({ type: "pre_vote_reply", from: 1, to: 2, term: 2, granted: true });
    settle([two]);
    two.raw.step({ type: "vote_reply", from: 1, to: 2, term: 2, granted: true });
    settle([two]);
    expect(two.raw.propose(large)).toMatchObject({ ok: true });
    const ack = {
      type: "append_reply",
      from: 1,
      to: 2,
      term: 2,
      ok: true,
      hintIndex: 0,
      hintTerm: 0,
    } as const;
    two.raw.step({ ...ack, matchIndex: 4 });
    settle([two]);
    expect(two.raw.status().commit).toBe(4);
    expect(two.raw.propose(new Uint8Array(200))).toMatchObject({ ok: false, reason: "overloaded" });
  });

  it("refuses proposals past the limit of uncommitted bytes, and takes them again", () => {
    const [one, two, three] = startThree();
    const large = new Uint8Array(CONFIG.uncommittedBytesMax);
    expect(one.raw.propose(large).ok).toBe(true);
    expect(one.raw.propose(bytes("a"))).toEqual({ ok: false, reason: "overloaded", leader: 1 });
    settle([one, two, three]);
    expect(one.raw.propose(bytes("a")).ok).toBe(true);
    expect(two.raw.propose(bytes("a"))).toEqual({ ok: false, reason: "not_leader", leader: 1 });
  });
});

describe("R4 snapshots", () => {
  const meta = { index: 10, term: 3, membership: voters(1, 2, 3, 4) };
  const message = { type: "snapshot", from: 2, to: 1, term: 3, meta } as const;

  it("a follower that is behind installs one before it answers", () => {
    const one = memberWith({ terms: [1, 1] });
    one.raw.step(message);
    const batch = one.raw.ready();
    expect(batch).toMatchObject({ snapshot: meta, hardState: { commit: 10 }, entries: [], committed: [] });
    expect(batch.messages).toMatchObject([{ type: "snapshot_reply", ok: true, matchIndex: 10 }]);
    one.raw.persisted(batch);
    expect(one.raw.status()).toMatchObject({ applied: 10, lastIndex: 10, membership: meta.membership });
  });

  it("a follower that has its last entry only learns that it is committed", () => {
    const one = memberWith({ terms: [1, 1, 1, 3, 3] });
    one.raw.step({ ...message, meta: { ...meta, index: 4 } });
    const batch = one.raw.ready();
    expect(batch.snapshot).toBeNull();
    expect(batch.committed).toHaveLength(4);
    expect(one.raw.status()).toMatchObject({ commit: 4, lastIndex: 5 });
  });

  it("a leader whose log begins too late sends one, and again only when it failed", () => {
    const entries: Entry[] = [];
    const log: LogReader = {
      firstIndex: () => 11,
      lastIndex: () => 10 + entries.length,
      term: (index) => (index === 10 ? 3 : entries[index - 11]?.term),
      entries: (from, to) => entries.slice(from - 11, to - 11),
      snapshot: () => meta,
    };
    const hardState = { term: 3, vote: 0, commit: 10 };
    const raw = createRawNode({
      config: { ...CONFIG, id: 1 },
      log,
      hardState,
      membership: voters(1, 2),
      applied: 10,
    });
    const sent = (): string[] => {
      const batch = raw.ready();
      entries.push(...batch.entries);
      raw.persisted(batch);
      return [...batch.messagesNow, ...batch.messages].map(({ type }) => type);
    };
    raw.campaign();
    sent();
    raw.step({ type: "pre_vote_reply", from: 2, to: 1, term: 4, granted: true });
    sent();
    raw.step({ type: "vote_reply", from: 2, to: 1, term: 4, granted: true });
    expect(sent()).toEqual(["append"]);
    const envelope = { from: 2, to: 1, term: 4 } as const;
    raw.step({ ...envelope, type: "append_reply", ok: false, matchIndex: 10, hintIndex: 2, hintTerm: 1 });
    expect(sent()).toEqual(["snapshot"]);
    raw.tick();
    raw.step({ ...envelope, type: "heartbeat_reply", readContext: 0, promiseTicks: 0 });
    expect(sent()).toEqual(["heartbeat"]);
    raw.reportSnapshot(2, false);
    raw.step({ ...envelope, type: "heartbeat_reply", readContext: 0, promiseTicks: 0 });
    expect(sent()).toEqual(["snapshot"]);
    raw.reportSnapshot(2, true);
    raw.step({ ...envelope, type: "snapshot_reply", ok: true, matchIndex: 10 });
    expect(sent()).toEqual(["append"]);
  });
});

describe("R4 compaction under a stream", () => {
  it("a follower whose lost entries were compacted meanwhile gets the snapshot", () => {
    const members = [
      startMember(1, voters(1, 2, 3)),
      startMember(2, voters(1, 2, 3)),
      startMember(3, voters(1, 2, 3)),
    ];
    const one = members[0] ?? startMember(1, voters(1));
    ticks(one, 15);
    settle(members);
    const lost = (m: Message): boolean => m.type === "append" && m.to === 2;
    for (let i = 0; i < 40; i += 1) {
      one.raw.propose(bytes(`${i}`));
      settle(members, lost);
    }
    // Compacted past everything that was sent to 2 and lost.
    one.compactedTo.index = 40;
    const seen: string[] = [];
    ticks(one, 1);
    settle(members, (m) => {
      if (m.to === 2) seen.push(m.type);
      return m.type === "snapshot" || lost(m);
    });
    expect(seen).toContain("snapshot");
  });
});
