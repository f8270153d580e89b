import { expect, it } from "vitest";
import {
  NotProposedError,
  OutcomeUnknownError,
  type ReplicatedLog,
  type ReplicatedLogStatus,
} from "../replicated-log.ts";
import type { LogLine } from "./core-context.ts";
import { handOver } from "./hand-over.ts";

const member = (nodeId: number, voter = true) => ({ nodeId, matchIndex: 7, voter, active: true });

/** Runs it over a log in this state; answers how often leadership was offered, and what was logged. */
async function stopping(
  status: Partial<ReplicatedLogStatus>,
  transferred: () => Promise<{ leaderId: number; term: number }>,
): Promise<{ offered: number; lines: LogLine[] }> {
  const lines: LogLine[] = [];
  let offered = 0;
  const log = {
    status: () => ({ nodeId: 1, role: "leader", members: [member(1), member(2)], ...status }),
    transferLeader: () => {
      offered += 1;
      return transferred();
    },
  } as unknown as ReplicatedLog<unknown>;
  await handOver(log, (line) => lines.push(line));
  return { offered, lines };
}
const taken = () => Promise.resolve({ leaderId: 2, term: 4 });

it("R5 a leader that stops hands over and says to whom", async () => {
  const { offered, lines } = await stopping({}, taken);
  expect(offered).toBe(1);
  expect(lines).toEqual([{ level: "info", msg: "leadership is handed over", leader_id: 2, term: 4 }]);
});

it("R5 a follower, a node alone and one with learners only have nobody to hand over to", async () => {
  expect(await stopping({ role: "follower" }, taken)).toEqual({ offered: 0, lines: [] });
  expect(await stopping({ members: [member(1)] }, taken)).toEqual({ offered: 0, lines: [] });
  expect(await stopping({ members: [member(1), member(2, false)] }, taken)).toEqual({
    offered: 0,
    lines: [],
  });
});

for (const error of [
  new NotProposedError("nobody took it", 1),
  new OutcomeUnknownError("stopped meanwhile"),
]) {
  it(`R5 ${error.name} does not keep a node from stopping, and is told`, async () => {
    const { lines } = await stopping({}, () => Promise.reject(error));
    expect(lines).toEqual([{ level: "warn", msg: "leadership is not handed over", reason: error.message }]);
  });
}

it("R5 any other error is not taken for a refusal", async () => {
  await expect(stopping({}, () => Promise.reject(new TypeError("a bug")))).rejects.toThrow("a bug");
});
