import { expect, it } from "vitest";
import { MemoryCore } from "../adapters/memory/memory-core.ts";
import { awaitLeader } from "./await-leader.ts";

const pause = (): Promise<void> => Promise.resolve();

/** A core whose first so many answers come from before an election. */
function electing(answers: number) {
  const core = new MemoryCore({ now: () => 0 });
  let asked = 0;
  const status = async () => {
    asked += 1;
    const known = await core.status();
    return asked <= answers ? { ...known, leader_id: null } : known;
  };
  return { status, asked: () => asked };
}

it("R5 waits until there is a leader", async () => {
  const core = electing(2);
  await expect(awaitLeader(core, pause)).resolves.toMatchObject({ leader_id: 1 });
  expect(core.asked()).toBe(3);
});

it("R5 says so when there is none", async () => {
  const core = electing(Number.POSITIVE_INFINITY);
  await expect(awaitLeader(core, pause)).rejects.toThrow("have no leader");
});
