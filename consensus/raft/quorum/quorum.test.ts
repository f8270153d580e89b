import { describe, expect, it } from "vitest";
import { jointReached, jointVote } from "./joint.ts";
import { majorityReached, majorityVote } from "./majority.ts";

describe("majorityReached", () => {
  it.each([
    { values: [], reached: Infinity },
    { values: [5], reached: 5 },
    { values: [5, 3], reached: 3 },
    { values: [1, 2, 3], reached: 2 },
    { values: [9, 0, 9], reached: 9 },
    { values: [1, 2, 3, 4], reached: 2 },
    { values: [0, 0, 7, 8, 9], reached: 7 },
    { values: [0, 0, 0, 8, 9], reached: 0 },
  ])("R2 of $values is $reached", ({ values, reached }) => {
    const ids = values.map((_, i) => i + 1);
    expect(majorityReached(ids, (id) => values[id - 1] ?? 0)).toBe(reached);
  });
});

describe("majorityVote", () => {
  const yes = true;
  const no = false;
  const none = undefined;
  it.each([
    { votes: [], result: "won" },
    { votes: [none], result: "pending" },
    { votes: [yes], result: "won" },
    { votes: [yes, none], result: "pending" },
    { votes: [yes, no], result: "lost" },
    { votes: [yes, yes, none], result: "won" },
    { votes: [yes, no, none], result: "pending" },
    { votes: [no, no, none], result: "lost" },
    { votes: [yes, yes, no, no], result: "lost" },
    { votes: [yes, yes, yes, no, no], result: "won" },
  ])("R1 of $votes is $result", ({ votes, result }) => {
    const ids = votes.map((_, i) => i + 1);
    expect(majorityVote(ids, (id) => votes[id - 1])).toBe(result);
  });
});

describe("a joint configuration", () => {
  const joint = { voters: [1, 2, 3], outgoing: [3, 4, 5] };

  it("R5 commits what both halves have", () => {
    const match: Record<number, number> = { 1: 9, 2: 9, 3: 0, 4: 4, 5: 7 };
    expect(jointReached(joint, (id) => match[id] ?? 0)).toBe(4);
    expect(jointReached({ voters: [], outgoing: [] }, () => 9)).toBe(0);
  });

  it.each([
    { granted: [1, 2], refused: [], result: "pending" },
    { granted: [1, 2, 4, 5], refused: [3], result: "won" },
    { granted: [1, 2, 3], refused: [4, 5], result: "lost" },
    { granted: [3, 4], refused: [1], result: "pending" },
  ])("R5 with $granted for and $refused against is $result", ({ granted, refused, result }) => {
    const voteOf = (id: number) => (granted.includes(id) ? true : refused.includes(id) ? false : undefined);
    expect(jointVote(joint, voteOf)).toBe(result);
  });

  it("R5 nobody wins without voters", () => {
    expect(jointVote({ voters: [], outgoing: [] }, () => true)).toBe("lost");
  });
});
