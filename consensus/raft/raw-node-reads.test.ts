import { describe, expect, it } from "vitest";
import { settle, startMember, startThree, ticks, voters, work } from "./members.testing.ts";

describe("R6 reads", () => {
  it("wait for an entry of the term, then for a quorum, and share one round", () => {
    const members = [1, 2, 3].map((id) => startMember(id, voters(1, 2, 3)));
    const one = members[0] ?? startMember(1, voters(1));
    expect(one.raw.readIndex(1)).toBe(false);
    ticks(one, 15);
    settle(members, (m) => m.type === "append");
    expect(one.raw.status().role).toBe("leader");
    expect(one.raw.readIndex(1)).toBe(true);
    expect(one.raw.readIndex(2)).toBe(true);
    settle(members, (m) => m.type === "append");
    expect(one.reads).toEqual([]);
    ticks(one, 1);
    const { round } = one.raw.status();
    settle(members, (m) => m.type === "heartbeat_reply" && m.readContext > round);
    expect(one.raw.status().commit).toBe(1);
    expect(one.reads).toEqual([]);
    ticks(one, 1);
    settle(members);
    expect(one.reads).toEqual([
      { request: 1, index: 1 },
      { request: 2, index: 1 },
    ]);
  });

  it("R5 an answer says which round it answers, so one that was on its way tells nothing of who is there now", () => {
    const [one, two] = startThree();
    ticks(one, 1);
    const [before] = work(one).filter(({ to }) => to === 2);
    two.raw.step(before!);
    const onItsWay = work(two);
    const asked = one.raw.status().round;
    for (const message of onItsWay) one.raw.step(message);
    const answered = (): number => one.raw.status().progress.find(({ id }) => id === 2)!.answeredRound;
    expect(answered()).toBe(asked);
    ticks(one, 1);
    settle([one, two]);
    expect(answered()).toBeGreaterThan(asked);
  });

  it("a single voter answers at once", () => {
    const one = startMember(1, voters(1));
    one.raw.campaign();
    settle([one]);
    one.raw.readIndex(3);
    expect(one.raw.ready().readStates).toEqual([{ request: 3, index: 1 }]);
  });
});
