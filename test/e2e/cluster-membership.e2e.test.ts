import { createHash, randomUUID } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import type { CoreClient } from "../../adapters/core-client/core-client.ts";
import type { StatusAnswer } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";
import { type CoreProcesses, makeCoreProcesses } from "../testing/core-processes.ts";
import { until } from "../testing/stack.ts";

const WRITERS = 4;
const head = {
  actor: { type: "user" as const, id: "u-1", name: "ada" },
  ip: "127.0.0.1",
  trace_id: "0".repeat(31) + "1",
};

let cores: CoreProcesses | null = null;
afterEach(async () => {
  await cores?.close();
  cores = null;
});

async function foundThree(): Promise<CoreProcesses> {
  cores = await makeCoreProcesses();
  await cores.found([1, 2, 3]);
  return cores;
}

const BYTES = new TextEncoder().encode("{}");
const SHA256 = createHash("sha256").update(BYTES).digest("hex");
/** Creates a config, again under the same key until it is acknowledged. */
async function create(client: CoreClient, name: string): Promise<void> {
  const idempotency = { scope: name, digest: "d" };
  const command = testCommand("create_config", testConfigPayload(name, SHA256), { idempotency });
  await until(
    () =>
      client.propose({ command, attachments: [BYTES] }).then(
        () => true,
        (error: unknown) => {
          if (error instanceof ConfluxError && ["not_proposed", "outcome_unknown"].includes(error.code))
            return false;
          throw error;
        },
      ),
    `${name} is written`,
  );
}

/** Writers that go on until they are stopped; then everything they were acknowledged must be there. */
function startWriters(client: CoreClient): { acknowledged: string[]; stop(): Promise<void> } {
  const acknowledged: string[] = [];
  const state = { running: true };
  const loops = Promise.all(
    Array.from({ length: WRITERS }, async () => {
      while (state.running) {
        const name = `w-${randomUUID()}`;
        await create(client, name);
        acknowledged.push(name);
      }
    }),
  );
  loops.catch(() => undefined);
  return {
    acknowledged,
    stop: async () => {
      state.running = false;
      await loops;
    },
  };
}

async function namesIn(client: CoreClient): Promise<Set<string>> {
  const names = new Set<string>();
  let cursor: string | null = null;
  do {
    const page = await client.listConfigs(
      { tenant: "demo", limit: 200, ...(cursor === null ? {} : { cursor }) },
      { consistency: "linearizable" },
    );
    for (const { name } of page.items) names.add(name);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return names;
}

const rolesIn = ({ nodes }: StatusAnswer): string => nodes.map((n) => `${n.node_id}:${n.role}`).join(" ");
const addNode = async (client: CoreClient, id: number) =>
  client.addNode({ node_id: id, raft_address: cores!.raftAddress(id), head });
const codeOf = async (action: Promise<unknown>): Promise<string> =>
  action.then(
    () => "accepted",
    (error: unknown) => (error instanceof ConfluxError ? error.code : String(error)),
  );
const leaderOf = (client: CoreClient): Promise<number> =>
  until(async () => (await client.status().catch(() => null))?.leader_id, "there is a leader");

test("R5 a fourth node is added under writes, leads, and the cluster goes on without the founder that led", async () => {
  const { join, raftAddress, client: clientOf, node, url } = await foundThree();
  const client = clientOf([1, 2, 3]);
  const writers = startWriters(client);
  await until(() => writers.acknowledged.length > 50, "there is something to catch up with");
  await client.takeSnapshot({ head });

  // Nobody listens there yet: nothing changes.
  expect(await codeOf(addNode(client, 4))).toBe("conflict");
  await join(4, [1, 2, 3]);
  expect(await addNode(client, 4)).toMatchObject({ node_id: 4, role: "voter" });
  expect(await addNode(client, 4)).toMatchObject({ node_id: 4, role: "voter" });
  expect((await client.status()).nodes.map((n) => n.raft_address)).toEqual([1, 2, 3, 4].map(raftAddress));

  expect(await client.transferLeader({ target_node_id: 4, head })).toMatchObject({ leader_id: 4 });
  expect(await client.transferLeader({ target_node_id: 4, head })).toMatchObject({ leader_id: 4 });
  const at = writers.acknowledged.length;
  await until(
    () => writers.acknowledged.length > at + 20,
    "writes go on under a leader they were not told of",
  );

  // The leader itself leaves.
  const { leader_id } = await client.transferLeader({ target_node_id: 1, head });
  expect(leader_id).toBe(1);
  for (let i = 0; i < 2; i += 1)
    expect(await client.removeNode({ node_id: 1, head })).toMatchObject({ node_id: 1 });
  const rest = clientOf([2, 3, 4]);
  expect(await leaderOf(rest)).not.toBe(1);
  expect(rolesIn(await rest.status())).not.toContain("1:");
  const { term } = await rest.status();
  const later = writers.acknowledged.length;
  await until(() => writers.acknowledged.length > later + 20, "writes go on without node 1");
  await writers.stop();

  // What is removed serves nothing and disturbs nobody.
  const alone = clientOf([1]);
  await until(
    async () =>
      (await codeOf(alone.listConfigs({ tenant: "demo", limit: 1 }, { consistency: "stale" }))) ===
      "unavailable",
    "node 1 knows that it was removed",
  );
  expect((await fetch(`${url(1)}/readyz`)).status).toBe(503);
  expect((await rest.status()).term).toBe(term);
  await node(1).stop();
  const names = await namesIn(rest);
  expect(writers.acknowledged.filter((name) => !names.has(name))).toEqual([]);
  // An id is used once.
  expect(await codeOf(addNode(rest, 1))).toBe("already_exists");
});

test("R7 R5 a node that names nobody else founds a cluster of one, which grows; what is removed is told what to do", async () => {
  cores = await makeCoreProcesses();
  const { found, join, client: clientOf, node } = cores;
  await found([1]);
  const client = clientOf([1]);
  await create(client, "first");
  await join(2, [1]);
  expect(await addNode(client, 2)).toMatchObject({ node_id: 2, role: "voter" });
  await node(1).stop();
  await node(1).start();
  expect(await namesIn(clientOf([1, 2]))).toEqual(new Set(["first"]));

  // Down while it is removed, it learns of it when it dials.
  await join(3, [1, 2]);
  const both = clientOf([1, 2]);
  expect(await addNode(both, 3)).toMatchObject({ role: "voter" });
  await node(3).kill();
  expect(await both.removeNode({ node_id: 3, head })).toMatchObject({ node_id: 3 });
  await node(3).start();
  await until(
    () => node(3).output.includes("this node was removed from the cluster"),
    "node 3 says what to do",
  );
  await until(() => node(3).output.includes('"ready":false'), "node 3 does not say that it is ready");
  const refusals = (id: number): number =>
    node(id).output.split("node 3 was removed and still runs").length - 1;
  await until(() => refusals(1) > 0 && refusals(2) > 0, "both tell of it");
  expect([refusals(1), refusals(2)]).toEqual([1, 1]);
});

test("R5 a node that lost its disk is fenced and replaced under a new id; a dead one is removed", async () => {
  const { join, wipe, node, client: clientOf } = await foundThree();
  const client = clientOf([1, 2, 3]);
  const writers = startWriters(client);
  await join(4, [1, 2, 3]);
  expect(await addNode(client, 4)).toMatchObject({ role: "voter" });

  await node(4).kill();
  wipe(4);
  const again = await join(4, [1, 2, 3]);
  await until(() => again.output.includes("it will follow and never vote"), "the wiped node is fenced");
  const fenced = async (of: CoreClient): Promise<number[]> =>
    (await of.status()).nodes.flatMap((one) => (one.fenced === true ? [one.node_id] : []));
  await until(async () => (await fenced(client)).join() === "4", "the leader shows it as fenced");
  expect(await codeOf(client.transferLeader({ target_node_id: 4, head }))).toBe("conflict");
  expect((await client.transferLeader({ head })).leader_id).not.toBe(4);
  await join(5, [1, 2, 3]);
  expect(await addNode(client, 5)).toMatchObject({ role: "voter" });
  await again.kill();
  expect(await client.removeNode({ node_id: 4, head })).toMatchObject({ node_id: 4 });
  expect(rolesIn(await client.status())).toMatch(/^1:\w+ 2:\w+ 3:\w+ 5:\w+$/);
  await writers.stop();
  const names = await namesIn(client);
  expect(writers.acknowledged.filter((name) => !names.has(name))).toEqual([]);

  // A dead one goes; one that the rest could not do without stays.
  const { leader_id } = await client.status();
  const [dead, down, up] = [1, 2, 3, 5].filter((id) => id !== leader_id) as [number, number, number];
  await node(dead).kill();
  expect(await client.removeNode({ node_id: dead, head })).toMatchObject({ node_id: dead });
  await node(down).kill();
  const others = clientOf([leader_id!, up]);
  await until(
    async () => (await codeOf(others.removeNode({ node_id: up, head }))) === "conflict",
    "it may not leave",
  );
  await create(others, "after");
});

test("R5 the leader dies between learner and voter: the repeated request finishes", async () => {
  const { join, node, client: clientOf } = await foundThree();
  const client = clientOf([1, 2, 3]);
  for (let i = 0; i < 20; i += 1) await create(client, `before-${i}`);
  const joining = await join(4, [1, 2, 3]);
  const first = addNode(client, 4);
  first.catch(() => undefined);
  const stale = clientOf([1]);
  await until(
    async () => rolesIn(await stale.status().catch(async () => client.status())).includes("4:"),
    "node 4 is there",
  );
  joining.pause();
  const leader = await leaderOf(client);
  await node(leader).kill();
  joining.resume();
  await codeOf(first);
  await node(leader).start();
  const done = await until(async () => {
    const answer = await addNode(client, 4).catch(() => null);
    return answer?.role === "voter" ? answer : null;
  }, "node 4 votes");
  expect(done.node_id).toBe(4);
  expect((await namesIn(client)).size).toBe(20);
});

test("R5 R14 leadership is not handed to a voter that hangs, and no write waits for it", async () => {
  const { node, client: clientOf } = await foundThree();
  const client = clientOf([1, 2, 3]);
  await create(client, "before");
  const { leader_id } = await client.status();
  const hung = [1, 2, 3].find((id) => id !== leader_id)!;
  node(hung).pause();
  const state = { running: true };
  const outcomes = new Set<string>();
  let slowestMs = 0;
  // Without an idempotency key: what went to a node that does not answer would be unknown.
  const writing = (async (): Promise<void> => {
    while (state.running) {
      const startedMs = performance.now();
      const command = testCommand("create_config", testConfigPayload(`w-${randomUUID()}`, SHA256));
      outcomes.add(await codeOf(client.propose({ command, attachments: [BYTES] })));
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    }
  })();
  const error: unknown = await client
    .transferLeader({ target_node_id: hung, head })
    .catch((cause: unknown) => cause);
  state.running = false;
  await writing;
  expect(error).toMatchObject({
    code: "conflict",
    message: `node ${hung} does not answer: it would not take over`,
  });
  expect([...outcomes]).toEqual(["accepted"]);
  expect(slowestMs).toBeLessThan(3_000);
  node(hung).resume();
  await until(
    async () => (await codeOf(client.transferLeader({ target_node_id: hung, head }))) === "accepted",
    "it leads once it answers",
  );
});
