import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ApplyOutcome } from "../domain/command/apply-command.ts";
import { openRaftLog } from "./raft-log.ts";
import type { ReplicatedLog } from "./replicated-log.ts";
import { StateStore } from "./state/state-store.ts";
import { createEntry } from "./state/testing-entries.ts";
import type { Message } from "./raft/types.ts";
import { nodeSnapshotFiles } from "./storage/snapshot-files.ts";
import { fenceTransport } from "./transport/fence-transport.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./transport/memory-network.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-raft-snapshot-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const MEMBERS = [1, 2, 3];
const KIB = 1024;

interface Node {
  id: number;
  log: ReplicatedLog<ApplyOutcome>;
  store: StateStore;
  fatal: Error[];
}
let directory: string;
let network: MemoryNetwork;
const running = new Set<Node>();
beforeEach(() => {
  directory = mkdtempSync(join(root, "c-"));
  network = createMemoryNetwork();
});
afterEach(async () => {
  await Promise.all([...running].map(stop));
});
async function stop(node: Node): Promise<void> {
  running.delete(node);
  await node.log.stop();
}
const placeOf = (id: number): string => join(directory, String(id));

async function open(
  id: number,
  options: { fenced?: boolean; spoil?: (store: StateStore) => void } = {},
): Promise<Node> {
  mkdirSync(placeOf(id), { recursive: true });
  const store = new StateStore({ path: join(placeOf(id), "state.db"), clusterId: "c1", journal: "wal" });
  options.spoil?.(store);
  const fatal: Error[] = [];
  const log = await openRaftLog<ApplyOutcome>({
    nodeId: id,
    directory: placeOf(id),
    members: MEMBERS,
    ...(options.fenced === undefined ? {} : { fenced: options.fenced }),
    stateMachine: store,
    transport: network.transport(id),
    onFatal: (error) => fatal.push(error),
    limits: {
      tickMs: 50,
      proposeTimeoutMs: 15_000,
      retainedBytesMax: 64 * KIB,
      retainedBytesAfter: 16 * KIB,
    },
  });
  const node = { id, log, store, fatal };
  running.add(node);
  void log.start();
  return node;
}
async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const leaderOf = (nodes: Node[]): Promise<Node> =>
  until(() => nodes.find(({ log }) => log.status().role === "leader"));
let names = 0;
/** More than the log keeps. */
async function writeMuch(leader: Node): Promise<void> {
  for (let round = 0; round < 20; round += 1) {
    const entries = Array.from({ length: 10 }, () =>
      createEntry(0, `c${(names += 1)}`, JSON.stringify({ x: "y".repeat(2 * KIB) })),
    );
    await Promise.all(entries.map(({ data }) => leader.log.propose(data)));
  }
}
async function expectSame(node: Node, leader: Node): Promise<void> {
  await until(() => node.store.lastApplied() >= leader.store.lastApplied());
  expect(node.store.lastApplied()).toBe(leader.store.lastApplied());
  expect(node.store.stateHash()).toBe(leader.store.stateHash());
}

describe("R4 a member that is behind the compacted log", () => {
  it("is sent the state, goes on from there, and has it after a restart", async () => {
    const nodes = await Promise.all(MEMBERS.map((id) => open(id)));
    const leader = await leaderOf(nodes);
    const behind = nodes.find((node) => node !== leader)!;
    await stop(behind);
    await writeMuch(leader);
    const { firstIndex } = leader.log.status();
    expect(firstIndex).toBeGreaterThan(100);
    const back = await open(behind.id);
    await expectSame(back, leader);
    expect(back.log.status().firstIndex).toBeGreaterThanOrEqual(firstIndex);
    await writeMuch(leader);
    await expectSame(back, leader);
    await stop(back);
    await expectSame(await open(behind.id), leader);
    expect(readdirSync(join(placeOf(behind.id), "snapshot"))).toEqual([]);
    expect(readdirSync(join(placeOf(leader.id), "snapshot"))).toEqual([]);
  });

  it("that fails between its log and its state finishes at the next start", async () => {
    const nodes = await Promise.all(MEMBERS.map((id) => open(id)));
    const leader = await leaderOf(nodes);
    const behind = nodes.find((node) => node !== leader)!;
    await stop(behind);
    await writeMuch(leader);
    const broken = await open(behind.id, {
      spoil: (store) => {
        store.install = () => {
          throw new Error("the disk failed");
        };
      },
    });
    await until(() => broken.fatal.length === 1);
    const appliedBefore = broken.store.lastApplied();
    await stop(broken);
    const back = await open(behind.id);
    expect(back.store.lastApplied()).toBeGreaterThan(appliedBefore);
    await expectSame(back, leader);
  });
});

describe("R5 a member that lost its disk", () => {
  it("follows and counts for what it has, but never leads", async () => {
    const nodes = await Promise.all(MEMBERS.map((id) => open(id)));
    const leader = await leaderOf(nodes);
    await writeMuch(leader);
    const wiped = nodes.find((node) => node !== leader)!;
    await stop(wiped);
    rmSync(placeOf(wiped.id), { recursive: true });
    const back = await open(wiped.id, { fenced: true });
    const voters = nodes.filter((node) => node !== wiped);
    // The leader that still counted on the lost disk makes place for a new one first.
    await until(() => back.store.lastApplied() >= leader.store.lastApplied());
    const next = await leaderOf(voters);
    await expectSame(back, next);
    const other = voters.find((node) => node !== next)!;
    await stop(other);
    await next.log.propose(createEntry(0, "with-the-wiped").data);
    await stop(next);
    const again = await Promise.all([open(next.id), open(other.id)]);
    expect((await leaderOf([...again, back])).id).not.toBe(wiped.id);
    await expectSame(back, await leaderOf(again));
  });

  it("neither asks for votes nor hears of any", async () => {
    const fenced = fenceTransport(network.transport(3), { hasLog: true, files: nodeSnapshotFiles });
    const one = network.transport(1);
    const seen: Message["type"][] = [];
    fenced.onMessage((message) => seen.push(message.type));
    one.onMessage((message) => seen.push(message.type));
    const vote = { lastIndex: 1, lastTerm: 1, transfer: false, term: 2 };
    const heartbeat = { type: "heartbeat", from: 1, to: 3, term: 2, commit: 0, readContext: 0 } as const;
    fenced.send([
      { type: "pre_vote", from: 3, to: 1, ...vote },
      { type: "vote", from: 3, to: 1, ...vote },
    ]);
    one.send([
      { type: "pre_vote", from: 1, to: 3, ...vote },
      { type: "vote", from: 1, to: 3, ...vote },
      { type: "timeout_now", from: 1, to: 3, term: 2 },
      heartbeat,
    ]);
    await until(() => seen.includes("heartbeat"));
    fenced.send([{ type: "heartbeat_reply", from: 3, to: 1, term: 2, readContext: 0, promiseTicks: 0 }]);
    await until(() => seen.includes("heartbeat_reply"));
    expect(seen).toEqual(["heartbeat", "heartbeat_reply"]);
  });

  it("makes the leader that counts on its lost log step down, and follows the next", async () => {
    const fenced = fenceTransport(network.transport(3), { hasLog: false, files: nodeSnapshotFiles });
    const one = network.transport(1);
    const seen: Message[] = [];
    const heard: Message[] = [];
    fenced.onMessage((message) => seen.push(message));
    one.onMessage((message) => heard.push(message));
    // A leader elected since tells of nothing committed before it was answered.
    const heartbeat = (term: number): Message => {
      return { type: "heartbeat", from: 1, to: 3, term, commit: term === 7 ? 9 : 0, readContext: 0 };
    };
    one.send([heartbeat(7)]);
    await until(() => heard.length === 1);
    expect(heard[0]).toMatchObject({ type: "append_reply", ok: false, from: 3, to: 1, term: 8 });
    one.send([heartbeat(7), heartbeat(9)]);
    await until(() => seen.length === 1);
    expect(seen).toEqual([heartbeat(9)]);
  });
});
