import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { wholeCluster } from "../testing/failover-load.ts";
import { type Place, type Stack, launchStack, makePlace, processesOf, startStack } from "../testing/stack.ts";

let place: Place | null = null;
let stack: Stack | null = null;
afterEach(async () => {
  await stack?.stop();
  place?.remove();
  [stack, place] = [null, null];
});

/** As a disk does that has rotted: one bit in the middle of a node's log. */
function flipBit(dataDir: string, nodeId: number): void {
  const folder = join(dataDir, `core-${nodeId}`, "wal");
  const [name = ""] = readdirSync(folder).toSorted();
  const path = join(folder, name);
  const bytes = readFileSync(path);
  // A segment is as long as it may become; what is written of it ends where the zeros begin.
  const used = bytes.findLastIndex((byte) => byte !== 0);
  const at = Math.floor(used / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

test("R7 U1 a stack of three starts without a node whose log is damaged, says so, and ends when two are", async () => {
  place = await makePlace();
  stack = await startStack({ place, env: { CONFLUX_NODES: "3" } });
  await wholeCluster(stack);
  expect(await stack.stop()).toBe(0);
  stack = null;

  flipBit(place.dataDir, 2);
  stack = await startStack({ place });
  const why = /core-2 ended with code 1: .*wal.*; starting it again in 100 ms\./;
  expect(stack.output()).toMatch(why);
  expect(stack.output()).toMatch(
    /core-2 is down, the other nodes run without it: it ended with code 1: .*add a new one/,
  );
  expect(stack.dev.pids.core).toHaveLength(3);
  const answer = await fetch(`${stack.dev.admin_url}/api/v1/mgt/cluster/status`, {
    headers: { authorization: `Bearer ${stack.dev.admin_token}` },
  });
  const status = (await answer.json()) as { leader_id: number; nodes: { healthy: boolean }[] };
  expect([1, 3]).toContain(status.leader_id);
  expect(status.nodes.map((node) => node.healthy)).toEqual([true, false, true]);
  expect(await stack.stop()).toBe(0);
  stack = null;

  flipBit(place.dataDir, 3);
  const { exited, stderr } = launchStack(place.env);
  expect(await exited).toBe(1);
  expect(stderr()).toMatch(/core-[23] ended with code 1 before it was ready; its last lines/);
  expect(processesOf(place.dataDir)).toEqual([]);
});
