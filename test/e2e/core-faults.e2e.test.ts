import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CoreCluster } from "../testing/core-cluster.ts";
import { CoreLoad } from "../testing/core-load.ts";
import { judgeHistory } from "../testing/judge-history.ts";
import { until } from "../testing/stack.ts";

const SERVICE_KEY = "core-faults-service-key-core-faults";
/** Longer than any election takes. */
const PAUSE_MS = 2_500;
/** Acknowledged writes after which writing is said to go on. */
const WRITES = 15;

let directory: string;
let cluster: CoreCluster | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-faults-"));
});
afterEach(async () => {
  await cluster?.kill();
  cluster = null;
  rmSync(directory, { recursive: true, force: true });
});

async function writesGoOn(load: CoreLoad): Promise<void> {
  const before = load.acknowledged();
  await until(() => load.acknowledged() >= before + WRITES, "writes go on");
}

test("R16 R3 R6 kill -9, planned stops and pauses of any node, the leader too: every history is linearizable, all states are equal", async () => {
  cluster = await CoreCluster.start({ directory, serviceKey: SERVICE_KEY });
  const load = await CoreLoad.start({ urls: cluster.urls, serviceKey: SERVICE_KEY, clients: 12, configs: 3 });
  await writesGoOn(load);

  for (let round = 0; round < 2; round += 1) {
    const leader = await cluster.leader();
    await leader.process.kill();
    await writesGoOn(load);
    await leader.process.start();

    const follower = await followerOf(cluster);
    await follower.process.kill();
    await writesGoOn(load);
    await follower.process.start();

    const replaced = await cluster.leader();
    expect(await replaced.process.stop()).toBe(0);
    // On a machine that is busy enough nobody may take over in time: then that is said.
    expect(replaced.process.output).toMatch(/leadership is (?:not )?handed over/);
    await writesGoOn(load);
    await replaced.process.start();

    const paused = await cluster.leader();
    paused.process.pause();
    await sleep(PAUSE_MS);
    await writesGoOn(load);
    paused.process.resume();
    await writesGoOn(load);
    await cluster.leader();

    const asleep = await followerOf(cluster);
    asleep.process.pause();
    await writesGoOn(load);
    asleep.process.resume();
  }
  await cluster.kill();
  await Promise.all(cluster.nodes.map((node) => node.process.start()));
  await writesGoOn(load);

  const history = await load.stop();
  expect(judgeHistory(history)).toEqual([]);
  const states = await cluster.stateHashes();
  expect(states).toEqual(states.map(() => states[0]));
});

async function followerOf(running: CoreCluster) {
  const leader = await running.leader();
  const follower = running.nodes.find((node) => node !== leader);
  if (follower === undefined) throw new Error("there is no follower");
  return follower;
}
