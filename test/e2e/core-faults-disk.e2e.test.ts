import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CoreCluster } from "../testing/core-cluster.ts";
import { CoreLoad } from "../testing/core-load.ts";
import { judgeHistory } from "../testing/judge-history.ts";
import { until } from "../testing/stack.ts";

const SERVICE_KEY = "core-faults-service-key-core-faults";
const NODES = [1, 2, 3];
const DISK_MIB = 48;
const WRITES = 15;
/** Whole blocks of every file system, so that the last one is used up too. */
const FILLING = Buffer.alloc(64 * 1024);

let directory: string;
let disks: string[] = [];
let cluster: CoreCluster | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-disk-"));
});
afterEach(async () => {
  await cluster?.kill();
  cluster = null;
  for (const disk of disks.splice(0)) execFileSync("/bin/umount", [disk]);
  rmSync(directory, { recursive: true, force: true });
});

/** A small disk for each node, or the reason why there can be none. */
function mountDisks(): string | null {
  if (process.getuid?.() !== 0) return "a small disk needs root to be mounted";
  try {
    for (const id of NODES) {
      const disk = join(directory, `disk-${id}`);
      mkdirSync(disk);
      execFileSync("/bin/mount", ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "tmpfs", disk], {
        stdio: "pipe",
      });
      disks.push(disk);
    }
    return null;
  } catch (error) {
    return `this machine mounts no small disk: ${String(error)}`;
  }
}

/** Leaves not one block free; answers how to free what it took. */
function fill(disk: string): () => void {
  const path = join(disk, "ballast");
  const file = openSync(path, "w");
  try {
    for (;;) writeSync(file, FILLING);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(file);
  }
  return () => rmSync(path);
}

test("R3 R16 a full disk ends the node, not the cluster: it comes back with everything once there is room", async (context) => {
  const trouble = mountDisks();
  if (trouble !== null) context.skip(trouble);
  const running = await CoreCluster.start({
    directory,
    serviceKey: SERVICE_KEY,
    nodeIds: NODES,
    dataDirectoryOf: (id) => join(directory, `disk-${id}`, "core"),
  });
  cluster = running;
  const load = await CoreLoad.start({ urls: running.urls, serviceKey: SERVICE_KEY, clients: 12, configs: 3 });
  const writesGoOn = async (): Promise<void> => {
    const before = load.acknowledged();
    await until(() => load.acknowledged() >= before + WRITES, "writes go on");
  };
  await writesGoOn();
  for (const role of ["follower", "leader"]) {
    const leader = await running.leader();
    const victim = role === "leader" ? leader : running.nodes.find((node) => node !== leader);
    if (victim === undefined) throw new Error("there is no follower");
    const free = fill(join(directory, `disk-${victim.id}`));
    expect(await victim.process.ended()).toBe(1);
    // Whichever of log and state needed room first.
    expect(victim.process.output).toMatch(/ENOSPC|disk is full/);
    await writesGoOn();
    free();
    await victim.process.start();
    await writesGoOn();
  }
  const history = await load.stop();
  expect(judgeHistory(history)).toEqual([]);
  const states = await running.stateHashes();
  expect(states).toEqual(states.map(() => states[0]));
});
