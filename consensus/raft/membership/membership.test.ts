import { describe, expect, it } from "vitest";
import { RaftInvariantError } from "../invariant.ts";
import { decodeMembership, encodeMembership } from "./membership-codec.ts";
import { firstStep, isOnlyVoter, isValidTarget, isVoter, leaveJoint, membersOf } from "./membership.ts";

describe("membership codec", () => {
  it.each([
    { voters: [], outgoing: [], learners: [] },
    { voters: [1], outgoing: [], learners: [] },
    { voters: [1, 2, 3], outgoing: [3, 4], learners: [9, 10] },
    { voters: [Number.MAX_SAFE_INTEGER, 2 ** 32, 2 ** 32 - 1], outgoing: [], learners: [] },
  ])("R5 $voters | $outgoing | $learners comes back sorted", (membership) => {
    const sorted = Object.fromEntries(
      Object.entries(membership).map(([key, ids]) => [key, ids.toSorted((a, b) => a - b)]),
    );
    expect(decodeMembership(encodeMembership(membership))).toEqual(sorted);
  });

  it("R5 equal memberships have equal bytes", () => {
    const one = encodeMembership({ voters: [2, 1], outgoing: [], learners: [4, 3] });
    expect(one).toEqual(encodeMembership({ voters: [1, 2], outgoing: [], learners: [3, 4] }));
  });

  it("R5 damaged bytes are refused", () => {
    const good = encodeMembership({ voters: [1, 2], outgoing: [], learners: [] });
    for (let size = 0; size < good.length; size += 1) {
      expect(() => decodeMembership(good.subarray(0, size))).toThrow(RaftInvariantError);
    }
    expect(() => decodeMembership(new Uint8Array([...good, 0]))).toThrow("too many");
    expect(() => decodeMembership(new Uint8Array([9, ...good.subarray(1)]))).toThrow("format");
    expect(() => decodeMembership(new Uint8Array([1, 255, 255, 255, 255]))).toThrow("cut short");
  });

  it("R5 reads a slice of a larger buffer", () => {
    const bytes = encodeMembership({ voters: [7], outgoing: [], learners: [] });
    const padded = new Uint8Array([5, 5, ...bytes, 5]);
    expect(decodeMembership(padded.subarray(2, 2 + bytes.length)).voters).toEqual([7]);
  });
});

describe("membership", () => {
  const current = { voters: [1, 2, 3], outgoing: [], learners: [] };

  it.each([
    { name: "one voter more", voters: [1, 2, 3, 4], learners: [], outgoing: [] },
    { name: "one voter less", voters: [1, 2], learners: [], outgoing: [] },
    { name: "a learner more", voters: [1, 2, 3], learners: [4], outgoing: [] },
    { name: "a voter replaced", voters: [1, 2, 4], learners: [], outgoing: [1, 2, 3] },
    { name: "two voters more", voters: [1, 2, 3, 4, 5], learners: [], outgoing: [1, 2, 3] },
    { name: "a voter demoted", voters: [1, 2], learners: [3], outgoing: [] },
  ])("R5 $name", ({ voters, learners, outgoing }) => {
    const step = firstStep(current, { voters, learners });
    expect(step).toEqual({ voters, outgoing, learners });
    expect(leaveJoint(step)).toEqual({ voters, outgoing: [], learners });
  });

  it.each([
    { voters: [], learners: [1], valid: false },
    { voters: [1, 1], learners: [], valid: false },
    { voters: [1], learners: [1], valid: false },
    { voters: [0], learners: [], valid: false },
    { voters: [1.5], learners: [], valid: false },
    { voters: [1], learners: [-2], valid: false },
    { voters: [1, 2], learners: [3], valid: true },
  ])("R5 voters $voters with learners $learners may be asked for: $valid", ({ valid, ...next }) => {
    expect(isValidTarget(next)).toBe(valid);
  });

  it("R5 both halves vote, and a joint configuration has no only voter", () => {
    const joint = { voters: [1], outgoing: [2, 3], learners: [3, 4] };
    expect(membersOf(joint)).toEqual([1, 2, 3, 4]);
    expect(isVoter(joint, 3)).toBe(true);
    expect(isVoter(joint, 4)).toBe(false);
    expect(isOnlyVoter(joint, 1)).toBe(false);
    expect(isOnlyVoter({ voters: [1], outgoing: [], learners: [4] }, 1)).toBe(true);
  });
});
