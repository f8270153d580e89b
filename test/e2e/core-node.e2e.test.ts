import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { wholeCluster } from "../testing/failover-load.ts";
import { type Stack, startStack, until } from "../testing/stack.ts";

const PROJECT_DIR = join(import.meta.dirname, "../..");
const TEST_MS = 180_000;

let stack: Stack | null = null;
const nodes: ChildProcess[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) node.kill("SIGINT");
  await stack?.stop();
  stack = null;
});

/** `npm run core-node -- 4` in another terminal. */
function startNode(id: string) {
  const child = spawn(process.execPath, ["dev/core-node.ts", id], {
    cwd: PROJECT_DIR,
    env: { ...process.env, CONFLUX_DATA_DIR: stack?.dataDir ?? "" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  nodes.push(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const ended = new Promise<number | null>((done) => child.once("close", done));
  return { said: () => said, ended, stop: () => child.kill("SIGINT") };
}

async function conflux(...args: string[]): Promise<string> {
  const env = { PATH: "/usr/bin:/bin", CONFLUX_DATA_DIR: stack?.dataDir ?? "" };
  return (await promisify(execFile)(join(PROJECT_DIR, "cli/conflux"), args, { env })).stdout;
}

test(
  "R5 U1 a further node says what becomes of it: it waits, runs already, was killed, was removed, is refused",
  async () => {
    stack = await startStack({ env: { CONFLUX_NODES: "3" } });
    await wholeCluster(stack);
    const first = startNode("4");
    const hint = await until(() => /conflux (cluster add-node 4 \S+)/.exec(first.said())?.[1], "it waits");

    const second = startNode("4");
    expect(await second.ended).toBe(1);
    expect(second.said()).toMatch(/^Node 4 runs here already \(process \d+\): stop it there with Ctrl-C/);

    expect(await conflux(...hint.split(" "))).toBe("node 4 is a voter\n");
    await until(() => first.said().includes("Node 4 runs at"), "it runs");
    const pid = Number(readFileSync(join(stack.dataDir, "core-4/directory.lock.pid"), "utf8").split(" ")[0]);
    process.kill(pid, "SIGKILL");
    expect(await first.ended).toBe(137);
    expect(first.said()).toMatch(/Node 4 was killed by SIGKILL; npm run core-node -- 4 starts it again/);

    const again = startNode("4");
    await until(() => again.said().includes("Node 4 runs at"), "it runs again");
    await conflux("cluster", "remove-node", "4");
    await until(() => again.said().includes("Node 4 was removed from the cluster"), "it was removed");
    again.stop();
    expect(await again.ended).toBe(0);

    rmSync(join(stack.dataDir, "core-4"), { recursive: true });
    const wiped = startNode("4");
    await until(() => wiped.said().includes("Node 4 was removed from the cluster"), "it is told so");
    expect(wiped.said()).not.toContain("add-node");
    wiped.stop();
    await wiped.ended;
  },
  TEST_MS,
);
