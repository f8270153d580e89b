import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { openRaftLog } from "./raft-log.ts";
import { NotProposedError, type ReplicatedLog } from "./replicated-log.ts";
import { commandOf, type CommandMachine, openCommandMachine } from "./sqlite-machine.testing.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./transport/memory-network.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-raft-cluster-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const MEMBERS = [1, 2, 3];

interface Node {
  id: number;
  log: ReplicatedLog<string>;
  machine: CommandMachine;
}
interface Cluster {
  network: MemoryNetwork;
  nodes: Map<number, Node>;
  /** Who counts as fenced on every node. */
  fenced: Set<number>;
  open(id: number, members?: number[]): Promise<Node>;
}
const running = new Set<Node>();
afterEach(async () => {
  await Promise.all([...running].map(stop));
});
async function stop(node: Node): Promise<void> {
  running.delete(node);
  await node.log.stop();
}

async function startCluster(): Promise<Cluster> {
  const directory = mkdtempSync(join(root, "c-"));
  const network = createMemoryNetwork();
  const nodes = new Map<number, Node>();
  const fenced = new Set<number>();
  const open = async (id: number, members = MEMBERS): Promise<Node> => {
    const machine = openCommandMachine(join(directory, `state-${id}.db`));
    const log = await openRaftLog<string>({
      nodeId: id,
      directory: join(directory, String(id)),
      members,
      joins: members.length === 0,
      stateMachine: machine,
      transport: network.transport(id),
      isFenced: (member) => fenced.has(member),
      onFatal: (error) => {
        throw error;
      },
      // Short ticks make elections quick; the proportions stay.
      limits: { tickMs: 50, proposeTimeoutMs: 15_000, readTimeoutMs: 15_000, startTimeoutMs: 15_000 },
    });
    const node = { id, log, machine };
    nodes.set(id, node);
    running.add(node);
    return node;
  };
  const made = await Promise.all(MEMBERS.map((id) => open(id)));
  await Promise.all(made.map(({ log }) => log.start()));
  return { network, nodes, fenced, open };
}

async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function leaderOf(nodes: Iterable<Node>): Promise<Node> {
  const list = [...nodes];
  return until(() => {
    const leader = list.find(({ log }) => log.status().role === "leader");
    const agreed = leader !== undefined && list.every(({ log }) => log.status().leaderId === leader.id);
    return agreed && leader;
  });
}
const others = (cluster: Cluster, node: Node): Node[] =>
  [...cluster.nodes.values()].filter((n) => n !== node);

/** Proposes until it is in: a command that was surely not proposed may be sent again. */
async function write(nodes: Iterable<Node>, text: string): Promise<void> {
  const list = [...nodes];
  for (;;) {
    const leader = await leaderOf(list);
    try {
      await leader.log.propose(commandOf(text));
      return;
    } catch (error) {
      if (!(error instanceof NotProposedError)) throw error;
    }
  }
}

describe("R2 three nodes", () => {
  it("R2 a follower names the leader for writes and reads; every node applies the same", async () => {
    const cluster = await startCluster();
    const leader = await leaderOf(cluster.nodes.values());
    await Promise.all(Array.from({ length: 100 }, (_, i) => leader.log.propose(commandOf(`w${i}`))));
    const index = await leader.log.readBarrier("linearizable");
    expect(index).toBeGreaterThanOrEqual(100);
    expect(await leader.log.readBarrier("leader")).toBeGreaterThanOrEqual(index);
    for (const follower of others(cluster, leader)) {
      const refused = { name: "NotProposedError", leaderId: leader.id };
      await expect(follower.log.propose(commandOf("no"))).rejects.toMatchObject(refused);
      await expect(follower.log.readBarrier("linearizable")).rejects.toMatchObject(refused);
      await expect(follower.log.readBarrier("leader")).rejects.toMatchObject(refused);
      await until(() => follower.log.status().appliedIndex >= index);
      expect(follower.machine.commands()).toEqual(leader.machine.commands());
      expect(await follower.log.readBarrier("stale")).toBeGreaterThanOrEqual(index);
    }
    expect(leader.log.status().members.map(({ nodeId }) => nodeId)).toEqual(MEMBERS);
  });

  it("R1 when the leader stops the others go on, and it catches up when it is back", async () => {
    const cluster = await startCluster();
    const leader = await leaderOf(cluster.nodes.values());
    for (let i = 0; i < 20; i += 1) await write(cluster.nodes.values(), `before ${i}`);
    await stop(leader);
    const rest = others(cluster, leader);
    for (let i = 0; i < 20; i += 1) await write(rest, `without ${i}`);
    const back = await cluster.open(leader.id);
    await back.log.start();
    await write(cluster.nodes.values(), "together");
    await until(() => back.machine.commands().includes("together"));
    expect(back.machine.commands()).toHaveLength(41);
    for (const node of rest) {
      await until(() => node.machine.commands().length === 41);
      expect(node.machine.commands()).toEqual(back.machine.commands());
    }
  });

  it("R14 a leader cut off promises nothing: its writes were not proposed in the end, its reads fail", async () => {
    const cluster = await startCluster();
    const old = await leaderOf(cluster.nodes.values());
    await old.log.propose(commandOf("first"));
    cluster.network.isolate(old.id, true);
    const cutOff = Promise.allSettled(["a", "b", "c"].map((text) => old.log.propose(commandOf(text))));
    await expect(old.log.readBarrier("linearizable")).rejects.toBeInstanceOf(NotProposedError);
    const rest = others(cluster, old);
    await write(rest, "second");
    await write(rest, "third");
    await write(rest, "fourth");
    cluster.network.isolate(old.id, false);
    await until(() => old.machine.commands().includes("fourth"));
    expect(old.machine.commands()).toEqual(["first", "second", "third", "fourth"]);
    // An entry of another term took the place of each: that is proof, so they need not be called unknown.
    for (const outcome of await cutOff) {
      expect(outcome).toMatchObject({ reason: { name: "NotProposedError" } });
    }
  });

  it("R2 all three restart at once with nothing lost", async () => {
    const cluster = await startCluster();
    for (let i = 0; i < 10; i += 1) await write(cluster.nodes.values(), `kept ${i}`);
    await Promise.all([...cluster.nodes.values()].map(stop));
    const nodes = await Promise.all(MEMBERS.map((id) => cluster.open(id)));
    await Promise.all(nodes.map(({ log }) => log.start()));
    await write(nodes, "more");
    for (const node of nodes) {
      await until(() => node.machine.commands().includes("more"));
      expect(node.machine.commands()).toHaveLength(11);
    }
  });
});

describe("R5 membership", () => {
  const voters = (node: Node): number[] =>
    node.log
      .status()
      .members.filter(({ voter }) => voter)
      .map(({ nodeId }) => nodeId);

  it("R5 leadership goes to whom it is handed, and writes go on there", async () => {
    const cluster = await startCluster();
    const leader = await leaderOf(cluster.nodes.values());
    await leader.log.propose(commandOf("before"));
    const target = others(cluster, leader)[0]!;
    expect(await leader.log.transferLeader(target.id)).toMatchObject({ leaderId: target.id });
    await expect(leader.log.transferLeader(target.id)).rejects.toMatchObject({ leaderId: target.id });
    await write(cluster.nodes.values(), "after");
    const { leaderId } = await (await leaderOf(cluster.nodes.values())).log.transferLeader();
    expect(leaderId).not.toBe(target.id);
  });

  it("R5 no leadership is handed to a fenced voter, though it has all of the log", async () => {
    const cluster = await startCluster();
    const leader = await leaderOf(cluster.nodes.values());
    // Of two that have as much the lower id would be asked.
    const [one, other] = others(cluster, leader).toSorted((a, b) => a.id - b.id) as [Node, Node];
    cluster.fenced.add(one.id);
    await expect(leader.log.transferLeader()).resolves.toMatchObject({ leaderId: other.id });
    for (const { id } of others(cluster, other)) cluster.fenced.add(id);
    const alone = await leaderOf(cluster.nodes.values());
    await expect(alone.log.transferLeader()).rejects.toThrow("no other voter is there to lead");
  });

  it("R5 a voter that is down takes no leadership: the leader leads on", async () => {
    const cluster = await startCluster();
    const leader = await leaderOf(cluster.nodes.values());
    const [down] = others(cluster, leader) as [Node, Node];
    await stop(down);
    await expect(leader.log.transferLeader(down.id)).rejects.toBeInstanceOf(NotProposedError);
    await write([leader], "on");
    await expect(leader.log.transferLeader(9)).rejects.toBeInstanceOf(NotProposedError);
  });

  it("R5 two voters are replaced by one joint change, under writes, and nothing is lost", async () => {
    const cluster = await startCluster();
    const leader = await leaderOf(cluster.nodes.values());
    const gone = others(cluster, leader);
    const texts = Array.from({ length: 60 }, (_, i) => `w${i}`);
    const writes = Promise.all(texts.map((text) => leader.log.propose(commandOf(text))));
    const came = await Promise.all([4, 5].map((id) => cluster.open(id, [])));
    for (const { log } of came) void log.start();
    await leader.log.changeMembership({ voters: MEMBERS, learners: [4, 5] });
    await leader.log.changeMembership({ voters: [leader.id, 4, 5], learners: [] });
    await writes;
    expect(voters(leader)).toEqual([leader.id, 4, 5]);
    await Promise.all(gone.map(stop));
    await write([leader, ...came], "with the new ones");
    for (const node of came) {
      await until(() => node.machine.commands().length === texts.length + 1);
      expect(node.machine.commands()).toEqual(leader.machine.commands());
    }
  });

  it("R5 a leader that leaves itself out steps aside after the commit; a removed node disturbs nobody", async () => {
    const cluster = await startCluster();
    const leader = await leaderOf(cluster.nodes.values());
    const rest = others(cluster, leader);
    await leader.log.changeMembership({ voters: rest.map(({ id }) => id), learners: [] });
    await write(rest, "without it");
    const next = await leaderOf(rest);
    const { term } = next.log.status();
    // Cut off and let in again it would stand, were it a voter still.
    cluster.network.isolate(leader.id, true);
    for (let i = 0; i < 10; i += 1) await write(rest, `on ${i}`);
    cluster.network.isolate(leader.id, false);
    for (let i = 0; i < 10; i += 1) await write(rest, `and on ${i}`);
    await expect(leader.log.propose(commandOf("no"))).rejects.toBeInstanceOf(NotProposedError);
    await expect(leader.log.readBarrier("linearizable")).rejects.toBeInstanceOf(NotProposedError);
    expect(next.log.status()).toMatchObject({ role: "leader", term });
  });
});
