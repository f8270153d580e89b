import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { startFailoverLoad, wholeCluster } from "../testing/failover-load.ts";
import {
  type Place,
  type Stack,
  makePlace,
  processesOf,
  startRefused,
  startStack,
  until,
} from "../testing/stack.ts";

const KILLS = 3;
const WRITERS = 16;
const env = { CONFLUX_NODES: "3" };

let place: Place | null = null;
let stack: Stack | null = null;
afterEach(async () => {
  await stack?.stop();
  place?.remove();
  [stack, place] = [null, null];
});

test("R1 R14 kill -9 of the leader, three times under 16 writers: nothing acknowledged is lost or doubled, the edge serves", async () => {
  stack = await startStack({ env });
  expect(stack.dev.core_urls).toHaveLength(3);
  expect(new Set(stack.dev.pids.core).size).toBe(3);
  const load = await startFailoverLoad(stack, WRITERS);
  for (let i = 0; i < KILLS; i += 1) await load.killLeader();
  await load.killFollower();
  const report = await load.stop();
  expect(report.failedFetches).toEqual([]);
  expect(report.acknowledged).toBeGreaterThan(KILLS * WRITERS);
  expect(await load.differences()).toEqual([]);
});

test("R5 R7 all three restart with what they had; a wiped node follows again and never votes", async () => {
  place = await makePlace();
  stack = await startStack({ place, env });
  const first = await startFailoverLoad(stack, 2);
  await first.stop();
  expect(await stack.stop()).toBe(0);
  expect(processesOf(place.dataDir)).toEqual([]);

  const refused = await startRefused({ ...place.env, CONFLUX_NODES: "5" });
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining("holds a cluster of 3, not of 5"),
  ]);

  stack = await startStack({ place, env });
  expect(await first.differences()).toEqual([]);

  const { leader_id } = await wholeCluster(stack);
  const wiped = leader_id === 3 ? 2 : 3;
  const pid = stack.dev.pids.core[wiped - 1] ?? 0;
  rmSync(join(place.dataDir, `core-${wiped}`), { recursive: true });
  process.kill(pid, "SIGKILL");
  await until(() => ![0, pid].includes(stack?.dev.pids.core[wiped - 1] ?? 0), "the wiped node runs again");
  // One voter is left beside the node that may not vote: there is a leader again when the other voter is back.
  const second = await startFailoverLoad(stack, 2, "second");
  await second.killLeader();
  await second.stop();
  expect((await wholeCluster(stack)).leader_id).not.toBe(wiped);
  expect([...(await first.differences()), ...(await second.differences())]).toEqual([]);
});
