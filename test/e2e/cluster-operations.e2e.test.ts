import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { startFailoverLoad } from "../testing/failover-load.ts";
import { type Stack, startStack, until } from "../testing/stack.ts";
import { admin } from "../testing/stack-client.ts";

const PROJECT_DIR = join(import.meta.dirname, "../..");
const run = promisify(execFile);

let stack: Stack | null = null;
let node: ChildProcess | null = null;
afterEach(async () => {
  if (node?.exitCode === null) {
    const exited = once(node, "exit");
    node.kill("SIGTERM");
    await exited;
  }
  await stack?.stop();
  [stack, node] = [null, null];
});

/** A command line as a user types it: output and exit code. */
async function conflux(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: "/usr/bin:/bin", CONFLUX_DATA_DIR: stack?.dataDir ?? "" };
  try {
    const { stdout, stderr } = await run(join(PROJECT_DIR, "cli/conflux"), args, { env });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

const TEST_MS = 240_000;

test(
  "R5 R7 U3 a user adds a fourth node beside the stack, lets it lead, and removes the first, under load",
  async () => {
    stack = await startStack({ env: { CONFLUX_NODES: "3" } });
    const load = await startFailoverLoad(stack, 2);
    let said = "";
    node = spawn(process.execPath, ["dev/core-node.ts", "4"], {
      cwd: PROJECT_DIR,
      // As in another terminal: where the stack's ports are is for the node to find out.
      env: { ...process.env, CONFLUX_DATA_DIR: stack.dataDir },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [node.stdout!, node.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
    }
    const hint = await until(
      () => /conflux cluster (add-node 4 \S+)/.exec(said)?.[1],
      `node 4 says how to let it in`,
    );
    const added = await conflux("cluster", ...hint.split(" "));
    expect(added).toMatchObject({ code: 0, out: "node 4 is a voter\n" });
    await until(() => said.includes("Node 4 runs at"), "node 4 runs");
    expect(await conflux("cluster", "transfer-leader", "4")).toMatchObject({ code: 0 });
    expect(await conflux("cluster", "remove-node", "1")).toMatchObject({ code: 0 });
    expect(await conflux("cluster", "snapshot")).toMatchObject({ code: 0 });
    const again = await conflux("cluster", "add-node", "1", "127.0.0.1:1");
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining("never used again") });
    const status = await conflux("cluster", "status", "--json");
    const { leader_id, nodes } = JSON.parse(status.out) as {
      leader_id: number;
      nodes: { node_id: number }[];
    };
    expect([leader_id, nodes.map((n) => n.node_id)]).toEqual([4, [2, 3, 4]]);
    await load.stop();
    expect(await load.differences()).toEqual([]);

    const rows = await until(async () => {
      const { json } = await admin(stack!, "GET", "/audit-logs?tenant=_system&limit=50");
      const items = (json as { items?: { summary: string }[] }).items ?? [];
      return items.some((row) => row.summary.includes("snapshot")) ? items.map((row) => row.summary) : null;
    }, "the operations are in the audit");
    expect(rows).toEqual(
      expect.arrayContaining([
        expect.stringContaining("registered node 4"),
        expect.stringContaining("leadership from node"),
        "removed node 1",
      ]),
    );
  },
  TEST_MS,
);
