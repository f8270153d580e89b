import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ReplicatedLogStatus } from "../replicated-log.ts";
import { removeNode } from "./cluster-remove-node.ts";
import type { CoreContext } from "./core-context.ts";

const head = {
  actor: { type: "user" as const, id: "u-1", name: "ada" },
  ip: "127.0.0.1",
  trace_id: "0".repeat(31) + "1",
};
const ROUND = 7;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Node 1 leads 1, 2 and 3; `answered` is the round that 2 has answered by now, 3 has answered none since. */
function startLeader(answered: () => number, role: () => ReplicatedLogStatus["role"] = () => "leader") {
  const fenced = new Set<number>();
  const voter = (nodeId: number, answeredRound: number) => ({
    nodeId,
    matchIndex: 9,
    voter: true,
    active: true,
    answeredRound,
  });
  const changes: unknown[] = [];
  const status = (): ReplicatedLogStatus => ({
    nodeId: 1,
    role: role(),
    leaderId: role() === "leader" ? 1 : 2,
    term: 1,
    commitIndex: 9,
    appliedIndex: 9,
    lastIndex: 9,
    firstIndex: 1,
    round: ROUND,
    members: [voter(1, 0), voter(2, answered()), voter(3, 0)],
  });
  const core = {
    log: {
      status,
      readBarrier: async () => 9,
      changeMembership: async (next: unknown) => {
        changes.push(next);
        return { index: 10, term: 1 };
      },
    },
    peers: { isFenced: (id: number) => fenced.has(id) },
    // It is retired already: the removal goes on with the membership.
    book: { recordOf: () => ({ removed: true }) },
    position: () => ({ cluster_id: "c1", epoch: 1, index: 9 }),
  } as unknown as CoreContext;
  return { core, changes, fenced };
}
const outcome = (core: CoreContext, nodeId = 3): Promise<unknown> =>
  removeNode(core, { node_id: nodeId, head }).then(
    () => "removed",
    (error: unknown) => error,
  );

describe("R5 a removal waits for the voters that would be left", () => {
  it("an answer to what was sent before it was asked is none: who gave it may be dead", async () => {
    let answered = ROUND - 2;
    const { core, changes } = startLeader(() => answered);
    const removal = outcome(core);
    await vi.advanceTimersByTimeAsync(100);
    answered = ROUND;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await removal).toMatchObject({
      code: "conflict",
      message: expect.stringContaining("only 1 answer") as unknown,
    });
    expect(changes).toEqual([]);
  });

  it("an answer to what was sent after it will do", async () => {
    let answered = ROUND;
    const { core, changes } = startLeader(() => answered);
    const removal = outcome(core);
    await vi.advanceTimersByTimeAsync(100);
    answered = ROUND + 1;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await removal).toBe("removed");
    expect(changes).toEqual([{ voters: [1, 2], learners: [] }]);
  });

  it("a leader that is deposed meanwhile says that it does not lead, not that nobody answers", async () => {
    let role: ReplicatedLogStatus["role"] = "leader";
    const { core } = startLeader(
      () => 0,
      () => role,
    );
    const removal = outcome(core);
    await vi.advanceTimersByTimeAsync(100);
    role = "follower";
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await removal).toMatchObject({ name: "NotProposedError", leaderId: 2 });
  });
});

describe("R5 a removal and fenced voters", () => {
  const answering = (): number => ROUND + 1;

  it("one that would leave too few that may vote is refused, though a fenced one answers", async () => {
    const { core, changes, fenced } = startLeader(answering);
    fenced.add(2);
    const removal = outcome(core);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await removal).toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/only 1 answer and may vote, .* never does \(2\)/) as unknown,
    });
    expect(changes).toEqual([]);
  });

  it("a fenced voter can always be removed, while those left can commit that", async () => {
    const { core, changes, fenced } = startLeader(answering);
    fenced.add(2).add(3);
    const removal = outcome(core);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await removal).toBe("removed");
    expect(changes).toEqual([{ voters: [1, 2], learners: [] }]);
  });
});
