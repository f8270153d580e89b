import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CoreCluster } from "../testing/core-cluster.ts";
import { HubNetwork, namespacesTrouble } from "../testing/hub-network.ts";
import { judgeHistory } from "../testing/judge-history.ts";
import { RemoteCoreLoad } from "../testing/remote-core-load.ts";
import { until } from "../testing/stack.ts";

const SERVICE_KEY = "core-faults-service-key-core-faults";
const NODES = [1, 2, 3];
/** Longer than any election. */
const CUT_MS = 3_000;
const WRITES = 15;

const trouble = namespacesTrouble();
let directory: string;
let network: HubNetwork | null = null;
let load: RemoteCoreLoad | null = null;
let cluster: CoreCluster | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-partition-"));
});
afterEach(async () => {
  await load?.close();
  await cluster?.kill();
  network?.remove();
  [load, cluster, network] = [null, null, null];
  rmSync(directory, { recursive: true, force: true });
});

test("R16 R1 R6 partitions of both kinds, in real networks: a cut off leader answers nothing stale, all states end equal", async (context) => {
  if (trouble !== null) context.skip(trouble);
  const hub = new HubNetwork(NODES);
  network = hub;
  const clients = new RemoteCoreLoad(hub.hubPrefix);
  load = clients;
  cluster = await CoreCluster.start({
    directory,
    serviceKey: SERVICE_KEY,
    nodeIds: NODES,
    place: (id) => hub.place(id),
    readMetrics: (url) => clients.metrics(url),
  });
  await clients.start({ urls: cluster.urls, serviceKey: SERVICE_KEY, clients: 12, configs: 3 });
  const writesGoOn = async (): Promise<void> => {
    const before = await clients.acknowledged();
    await until(async () => (await clients.acknowledged()) >= before + WRITES, "writes go on");
  };
  const followers = async (): Promise<[number, number, number]> => {
    const leader = await cluster!.leader();
    const [one = 0, two = 0] = NODES.filter((id) => id !== leader.id);
    return [leader.id, one, two];
  };
  await writesGoOn();

  // The leader alone, with the clients that ask it.
  const [isolated] = await followers();
  hub.isolate(isolated);
  await writesGoOn();
  await sleep(CUT_MS);
  hub.heal();
  await writesGoOn();

  // The leader is heard, but hears nobody.
  const [deaf, one, two] = await followers();
  hub.cut(one, deaf);
  hub.cut(two, deaf);
  await writesGoOn();
  await sleep(CUT_MS);
  hub.heal();
  await writesGoOn();

  // The leader hears all, but nobody hears it.
  const [mute, left, right] = await followers();
  hub.cut(mute, left);
  hub.cut(mute, right);
  await writesGoOn();
  await sleep(CUT_MS);
  hub.heal();
  await writesGoOn();

  // The leader and one follower do not hear each other; both are heard by the third, and leadership may stay.
  const [leader, apart] = await followers();
  hub.cut(leader, apart);
  hub.cut(apart, leader);
  await writesGoOn();
  await sleep(CUT_MS);
  await writesGoOn();
  hub.heal();

  // A follower alone.
  const [, alone] = await followers();
  hub.isolate(alone);
  await sleep(CUT_MS);
  hub.heal();
  await writesGoOn();

  const history = await clients.stop();
  expect(judgeHistory(history)).toEqual([]);
  const states = await cluster.stateHashes();
  expect(states).toEqual(states.map(() => states[0]));
});
