/** The checklist of the consensus core, replication: one test for each item. */
import { describe, expect, it } from "vitest";
import { entryAt, memberWith, persist, startThree, ticks, work } from "./raft/members.testing.ts";
import { bytes, settle } from "./raft/members.testing.ts";
import type { Entry, Message } from "./raft/types.ts";

const append = { type: "append", from: 2, to: 1, term: 5, commit: 0, entries: [] as Entry[] } as const;
const termsOf = (entries: readonly Entry[]): number[][] => entries.map(({ index, term }) => [index, term]);

describe("R2 checklist: replication", () => {
  it("only current-term entries are committed by counting (Figure 8)", () => {
    // (c) of the figure: entry 2 of term 2 is on a majority, and yet S5 could still overwrite it.
    const one = memberWith({ terms: [1, 2], hard: { term: 3, vote: 0, commit: 1 }, applied: 1 });
    ticks(one, 15);
    work(one);
    one.raw.step({ type: "pre_vote_reply", from: 2, to: 1, term: 4, granted: true });
    work(one);
    one.raw.step({ type: "vote_reply", from: 2, to: 1, term: 4, granted: true });
    work(one);
    expect(one.raw.status()).toMatchObject({ role: "leader", term: 4, lastIndex: 3 });
    const reply = {
      type: "append_reply",
      from: 2,
      to: 1,
      term: 4,
      ok: true,
      hintIndex: 0,
      hintTerm: 0,
    } as const;
    one.raw.step({ ...reply, matchIndex: 2 });
    expect(one.raw.status().commit).toBe(1);
    // (e): with an entry of its own term on a majority everything before it is committed too.
    one.raw.step({ ...reply, matchIndex: 3 });
    expect(one.raw.status().commit).toBe(3);
  });

  it("a follower's commit index is limited to what it verified", () => {
    const one = memberWith({ terms: [1, 1, 3, 3] });
    one.raw.step({ ...append, prevIndex: 1, prevTerm: 1, entries: [entryAt(2, 1)], commit: 4 });
    expect(work(one)).toMatchObject([{ ok: true, matchIndex: 2 }]);
    expect(one.raw.status()).toMatchObject({ commit: 2, lastIndex: 4 });
    // An empty append verifies what it stands behind and no more.
    one.raw.step({ ...append, prevIndex: 3, prevTerm: 3, commit: 4 });
    work(one);
    expect(one.raw.status()).toMatchObject({ commit: 3 });
    // A heartbeat verifies nothing: the leader sends no more than this follower has acknowledged to it.
    const [leader, two, three] = startThree();
    leader.raw.propose(bytes("a"));
    settle([leader, two, three], (m) => m.to === 3 && m.type === "append");
    expect(leader.raw.status().commit).toBe(2);
    ticks(leader, 1);
    const heartbeats = work(leader).flatMap((m) => (m.type === "heartbeat" ? [[m.to, m.commit]] : []));
    expect(heartbeats).toEqual([
      [2, 2],
      [3, 1],
    ]);
  });

  it("truncation happens only on a real conflict", () => {
    const one = memberWith({ terms: [1, 1, 5, 5, 5] });
    // An append that was overtaken by later ones ends before the log does, and agrees with it.
    one.raw.step({ ...append, prevIndex: 1, prevTerm: 1, entries: [entryAt(2, 1), entryAt(3, 5)] });
    const quiet = one.raw.ready();
    expect(quiet.entries).toEqual([]);
    expect(persist(one, quiet)).toMatchObject([{ ok: true, matchIndex: 3 }]);
    expect(one.raw.status().lastIndex).toBe(5);
    one.raw.step({ ...append, term: 6, prevIndex: 2, prevTerm: 1, entries: [entryAt(3, 5), entryAt(4, 6)] });
    const batch = one.raw.ready();
    // Entry 3 is there already; 4 conflicts, and 5 goes with it. The answer waits for the write.
    expect(termsOf(batch.entries)).toEqual([[4, 6]]);
    expect(batch.messagesNow).toEqual([]);
    persist(one, batch);
    expect(termsOf(one.entries).slice(2)).toEqual([
      [3, 5],
      [4, 6],
    ]);
  });

  it("an append whose previous entry was compacted is no conflict", () => {
    const hard = { term: 5, vote: 0, commit: 6 };
    const one = memberWith({ terms: [1, 1, 1, 5, 5, 5], hard, applied: 6, compactedTo: 5 });
    const late: Message = {
      ...append,
      prevIndex: 3,
      prevTerm: 1,
      entries: [entryAt(4, 5), entryAt(5, 5)],
      commit: 6,
    };
    one.raw.step(late);
    expect(work(one)).toMatchObject([{ type: "append_reply", ok: true, matchIndex: 6 }]);
    // Right behind what was compacted: only the snapshot knows its term.
    one.raw.step({ ...append, prevIndex: 6, prevTerm: 5, entries: [entryAt(7, 5)], commit: 6 });
    expect(work(one)).toMatchObject([{ ok: true, matchIndex: 7 }]);
    expect(one.raw.status()).toMatchObject({ lastIndex: 7, commit: 6 });
  });

  it("the ABA case of two appends in flight across a term change", () => {
    const one = memberWith({ terms: [1, 1, 1, 1], hard: { term: 1, vote: 0, commit: 4 }, applied: 4 });
    const sent = (term: number): Entry[] => [5, 6, 7].map((index) => entryAt(index, term));
    const behind = { ...append, prevIndex: 4, prevTerm: 1, commit: 4 };
    one.raw.step({ ...behind, term: 1, entries: sent(1) });
    const first = one.raw.ready();
    // While A is being written the next leader replaces it by B, at the same indexes, and one more brings A again.
    one.raw.step({ ...behind, from: 3, term: 2, entries: sent(2) });
    one.raw.step({ ...behind, from: 2, term: 3, entries: sent(1).slice(0, 2) });
    persist(one, first);
    // The end of the first write says nothing of what the indexes mean now: they are written, then acknowledged.
    const second = one.raw.ready();
    expect(termsOf(second.entries)).toEqual([
      [5, 1],
      [6, 1],
    ]);
    expect(second.messages).toMatchObject([
      { to: 3, term: 2, ok: true, matchIndex: 7 },
      { to: 2, term: 3, ok: true, matchIndex: 6 },
    ]);
    expect(second.hardState).toMatchObject({ term: 3 });
    persist(one, second);
    expect(termsOf(one.entries).slice(4)).toEqual([
      [5, 1],
      [6, 1],
    ]);
  });
});
