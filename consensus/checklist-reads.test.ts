/** The checklist of the consensus core, reads: one test for each item. */
import { describe, expect, it } from "vitest";
import { bytes, settle, startMember, startThree, ticks, voters, work } from "./raft/members.testing.ts";
import type { Message } from "./raft/types.ts";

describe("R6 checklist: reads", () => {
  it("ReadIndex waits for the first commit of the term", () => {
    const members = [1, 2, 3].map((id) => startMember(id, voters(1, 2, 3)));
    const one = members[0]!;
    ticks(one, 15);
    settle(members, (m) => m.type === "append");
    expect(one.raw.status()).toMatchObject({ role: "leader", commit: 0 });
    expect(one.raw.readIndex(1)).toBe(true);
    // Confirmed by everyone again and again, it still may not know what was committed before it.
    for (let i = 0; i < 3; i += 1) {
      ticks(one, 1);
      settle(members, (m) => m.type === "append");
    }
    expect(one.reads).toEqual([]);
    ticks(one, 1);
    settle(members);
    expect(one.reads).toEqual([{ request: 1, index: 1 }]);
  });

  it("a late heartbeat ack does not serve a newer read", () => {
    const members = startThree();
    const [one, two] = members;
    one.raw.readIndex(1);
    const asked = work(one);
    for (const message of asked) if (message.to === 2) two.raw.step(message);
    const late = work(two).filter((message) => message.type === "heartbeat_reply");
    expect(late).toHaveLength(1);
    // Meanwhile more was committed, and somebody reads again.
    one.raw.propose(bytes("a"));
    settle(members, (m) => m.type === "heartbeat_reply" || m.type === "heartbeat");
    expect(one.raw.status().commit).toBe(2);
    one.raw.readIndex(2);
    settle(members, (m) => m.type === "heartbeat_reply");
    for (const message of late) one.raw.step(message);
    settle(members, (m) => m.type === "heartbeat_reply");
    expect(one.reads).toEqual([{ request: 1, index: 1 }]);
    ticks(one, 1);
    settle(members);
    expect(one.reads).toEqual([
      { request: 1, index: 1 },
      { request: 2, index: 2 },
    ]);
  });

  it("a lease read is refused during transfer", () => {
    let nowTicks = 0;
    const members = startThree({ lease: { nowTicks: () => nowTicks, driftTicks: 1 } });
    const [one] = members;
    const beat = (lost?: (message: Message) => boolean): void => {
      nowTicks += 1;
      for (const member of members) ticks(member, 1);
      settle(members, lost);
    };
    beat();
    expect(one.raw.leaseIndex()).toBe(1);
    // The target is behind, so it has not been asked to stand yet; the transfer has begun all the same.
    const isKept = (message: Message): boolean => message.type === "append" && message.to === 3;
    one.raw.propose(bytes("a"));
    settle(members, isKept);
    expect(one.raw.leaseIndex()).toBe(2);
    expect(one.raw.transferLeader(3)).toMatchObject({ ok: true });
    expect(work(one).map(({ type }) => type)).not.toContain("timeout_now");
    expect(one.raw.leaseIndex()).toBeNull();
    // Given up, but the message that asks 3 to stand may still arrive: no lease again in this term.
    const isLate = (message: Message): boolean => message.type === "timeout_now";
    for (let i = 0; i < 12; i += 1) beat(isLate);
    expect(one.raw.propose(bytes("b"))).toMatchObject({ ok: true });
    beat(isLate);
    expect(one.raw.status().role).toBe("leader");
    expect(one.raw.leaseIndex()).toBeNull();
    // A read by a round is right whenever it is asked.
    one.raw.readIndex(7);
    settle(members);
    expect(one.reads).toEqual([{ request: 7, index: 3 }]);
  });
});
