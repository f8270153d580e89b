import { afterEach, expect, test } from "vitest";
import { startFailoverLoad, wholeCluster } from "../testing/failover-load.ts";
import { type Stack, startStack, until } from "../testing/stack.ts";

const NODES = 5;
const WRITERS = 4;

let stack: Stack | null = null;
afterEach(async () => {
  await stack?.stop();
  stack = null;
});

test("R1 R3 five nodes: with the leader and another gone writes go on, and both catch up when they are back", async () => {
  const running = await startStack({ env: { CONFLUX_NODES: String(NODES) } });
  stack = running;
  expect(new Set(running.dev.pids.core).size).toBe(NODES);
  const load = await startFailoverLoad(running, WRITERS);
  const { leader_id } = await wholeCluster(running);
  const leader = leader_id ?? 0;
  const gone = [leader, (leader % NODES) + 1];
  const before = gone.map((id) => running.dev.pids.core[id - 1] ?? 0);
  // Stopped first, so that the supervisor does not bring them back before anything was written without them.
  for (const pid of before) process.kill(pid, "SIGSTOP");
  const without = await startFailoverLoad(running, WRITERS, "without");
  const after = await without.stop();
  for (const pid of before) process.kill(pid, "SIGKILL");
  expect(after.acknowledged).toBeGreaterThan(0);
  await until(
    () => gone.every((id, i) => ![0, before[i]].includes(running.dev.pids.core[id - 1] ?? 0)),
    "both run again",
  );
  const report = await load.stop();
  expect([report.failedFetches, after.failedFetches]).toEqual([[], []]);
  await until(async () => {
    const { nodes } = await wholeCluster(running);
    return nodes.length === NODES && new Set(nodes.map((node) => node.match_index)).size === 1;
  }, "all five have the whole log");
  expect([...(await load.differences()), ...(await without.differences())]).toEqual([]);
});
