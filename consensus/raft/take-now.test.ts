import { describe, expect, it } from "vitest";
import { bytes, type Member, settle, startThree, work } from "./members.testing.ts";

describe("R6 takeNow: what waits for no disk", () => {
  it("asks for the confirmation of a read, and answers it, while a batch is out", () => {
    const [one, two] = startThree();
    one.raw.propose(bytes("a"));
    const batch = one.raw.ready();
    expect(one.raw.takeNow()).toBeNull();
    one.raw.readIndex(7);
    const asked = one.raw.takeNow();
    expect(asked?.messages.map(({ type, to }) => [type, to])).toEqual([
      ["heartbeat", 2],
      ["heartbeat", 3],
    ]);
    expect(asked?.readStates).toEqual([]);
    // A follower confirms while it, too, writes.
    for (const message of batch.messagesNow) if (message.to === 2) two.raw.step(message);
    const writing = two.raw.ready();
    expect(writing.entries).toHaveLength(1);
    for (const message of asked?.messages ?? []) if (message.to === 2) two.raw.step(message);
    const confirmed = two.raw.takeNow();
    expect(confirmed?.messages).toMatchObject([{ type: "heartbeat_reply", to: 1 }]);
    for (const message of confirmed?.messages ?? []) one.raw.step(message);
    const answered = one.raw.takeNow();
    expect(answered?.readStates).toEqual([{ request: 7, index: 1 }]);
    // Handed out once; the batches go on as if nothing had been.
    expect(one.raw.takeNow()).toBeNull();
    one.raw.persisted(batch);
    two.raw.persisted(writing);
  });

  it("holds back what promises something that is not durable yet", () => {
    const [one, two] = startThree();
    one.raw.propose(bytes("a"));
    for (const message of one.raw.ready().messagesNow) if (message.to === 2) two.raw.step(message);
    expect(two.raw.takeNow()).toBeNull();
    const writing = two.raw.ready();
    // The acknowledgement of the entry is in the batch, behind the disk.
    expect(writing.messages).toMatchObject([{ type: "append_reply", ok: true, matchIndex: 2 }]);
    expect(two.raw.takeNow()).toBeNull();
  });
});

describe("R2 tellCommit: a commit index of its own accord", () => {
  const commits = (members: readonly Member[]): number[] => members.map(({ raw }) => raw.status().commit);

  it("waits with `when_told` for entries, or until it is told", () => {
    const members = startThree({ commitNotice: "when_told" });
    const [one, two, three] = members;
    one.raw.tellCommit();
    settle(members);
    one.raw.propose(bytes("a"));
    expect(one.raw.commitIsUntold()).toBe(false);
    settle(members);
    expect(commits([one, two, three])).toEqual([2, 1, 1]);
    expect(one.raw.commitIsUntold()).toBe(true);
    expect(one.raw.hasReady()).toBe(false);
    one.raw.tellCommit();
    expect([one.raw.commitIsUntold(), one.raw.hasReady()]).toEqual([false, true]);
    settle(members);
    expect(commits([one, two, three])).toEqual([2, 2, 2]);
    // There is nothing left to tell.
    one.raw.tellCommit();
    expect(work(one)).toEqual([]);
  });

  it("travels with the next entries, and is told no more then", () => {
    const members = startThree({ commitNotice: "when_told" });
    const [one, two] = members;
    one.raw.propose(bytes("a"));
    settle(members);
    one.raw.propose(bytes("b"));
    const [append] = work(one).filter(({ to, type }) => to === 2 && type === "append");
    expect(append).toMatchObject({ commit: 2 });
    expect(one.raw.commitIsUntold()).toBe(false);
    two.raw.step(append!);
    work(two);
    expect(two.raw.status().commit).toBe(2);
  });

  it("is nobody's business who does not lead", () => {
    const [, two] = startThree({ commitNotice: "when_told" });
    two.raw.tellCommit();
    expect([two.raw.commitIsUntold(), work(two)]).toEqual([false, []]);
  });
});
