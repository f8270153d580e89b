import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ApplyOutcome } from "../domain/command/apply-command.ts";
import { testCommand } from "../domain/command/testing-commands.ts";
import { openRaftLog } from "./raft-log.ts";
import type { RaftLogLimits } from "./raft-log-options.ts";
import type { ReplicatedLog } from "./replicated-log.ts";
import { StateStore } from "./state/state-store.ts";
import { createEntry, entryOf } from "./state/testing-entries.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./transport/memory-network.ts";
import type { SnapshotMessage, SnapshotTransfer } from "./transport/transport.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-raft-transfer-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const MEMBERS = [1, 2, 3];
const KIB = 1024;

/** One call of `sendSnapshot`, which the test ends. */
interface Attempt {
  from: number;
  message: SnapshotMessage;
  path: string;
  transfer: SnapshotTransfer;
  /** Delivers the file as it is now. */
  deliver: () => Promise<void>;
  /** It is sent, but never installed. */
  lose: () => void;
  fail: (reason: string) => void;
}
interface Node {
  id: number;
  log: ReplicatedLog<ApplyOutcome>;
  store: StateStore;
  trouble: string[];
}
let directory: string;
let network: MemoryNetwork;
let attempts: Attempt[];
let isHeld: boolean;
const running = new Set<Node>();
beforeEach(() => {
  directory = mkdtempSync(join(root, "c-"));
  network = createMemoryNetwork();
  attempts = [];
  isHeld = true;
});
afterEach(async () => {
  isHeld = false;
  await Promise.all([...running].map(stop));
});
async function stop(node: Node): Promise<void> {
  running.delete(node);
  await node.log.stop();
}

async function open(
  id: number,
  options: { limits?: Partial<RaftLogLimits>; readsSnapshots?: () => boolean } = {},
): Promise<Node> {
  const place = join(directory, String(id));
  mkdirSync(place, { recursive: true });
  const store = new StateStore({ path: join(place, "state.db"), clusterId: "c1", journal: "wal" });
  const trouble: string[] = [];
  const inner = network.transport(id);
  const log = await openRaftLog<ApplyOutcome>({
    nodeId: id,
    directory: place,
    members: MEMBERS,
    stateMachine: store,
    transport: {
      ...inner,
      sendSnapshot: (message, path, transfer) => {
        if (!isHeld) return inner.sendSnapshot(message, path, transfer);
        return new Promise((resolve, reject) => {
          transfer.signal.addEventListener("abort", () => reject(new Error("aborted")));
          attempts.push({
            from: id,
            message,
            path,
            transfer,
            deliver: async () => {
              await inner.sendSnapshot(message, path, transfer);
              resolve();
            },
            lose: resolve,
            fail: (reason) => reject(new Error(reason)),
          });
        });
      },
    },
    onFatal: (error) => {
      throw error;
    },
    ...(options.readsSnapshots === undefined ? {} : { readsSnapshots: options.readsSnapshots }),
    observer: { onSnapshotTrouble: ({ to, reason }) => trouble.push(`${to}: ${reason}`) },
    limits: {
      tickMs: 50,
      proposeTimeoutMs: 15_000,
      retainedBytesMax: 64 * KIB,
      retainedBytesAfter: 16 * KIB,
      snapshotRetryMinMs: 10,
      snapshotRetryMaxMs: 10,
      ...options.limits,
    },
  });
  const node = { id, log, store, trouble };
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
/** About 45 KiB. */
async function writeSome(leader: Node): Promise<void> {
  const entries = Array.from({ length: 20 }, () =>
    createEntry(0, `c${(names += 1)}`, JSON.stringify({ x: "y".repeat(2 * KIB) })),
  );
  await Promise.all(entries.map(({ data }) => leader.log.propose(data)));
}
/** A leader whose log no longer reaches back to what a member has, which comes back and is about to be sent a snapshot. */
async function leaveBehind(options: Parameters<typeof open>[1] = {}) {
  const nodes = await Promise.all(MEMBERS.map((id) => open(id, options)));
  const leader = await leaderOf(nodes);
  const [behind, other] = nodes.filter((node) => node !== leader);
  await stop(behind!);
  const before = behind!.log.status().lastIndex;
  while (leader.log.status().firstIndex <= before + 1) await writeSome(leader);
  const back = await open(behind!.id, options);
  return { leader, back, other: other! };
}
async function expectSame(node: Node, leader: Node): Promise<void> {
  await until(() => node.store.lastApplied() >= leader.store.lastApplied());
  expect(node.store.stateHash()).toBe(leader.store.stateHash());
}

describe("R4 an attempt that broke off", () => {
  it("is followed by one with the same copy, which is let go of once it is installed", async () => {
    const { leader, back } = await leaveBehind();
    const first = await until(() => attempts[0]);
    const bytes = readFileSync(first.path);
    await leader.log.propose(createEntry(0, `late${(names += 1)}`).data);
    first.fail("cut");
    const second = await until(() => attempts[1]);
    expect(second.transfer.copy).toBe(first.transfer.copy);
    expect(second.message.meta).toEqual(first.message.meta);
    expect(readFileSync(second.path).equals(bytes)).toBe(true);
    expect(leader.trouble).toEqual([`${back.id}: cut`]);
    await second.deliver();
    await expectSame(back, leader);
    await until(() => !existsSync(second.path));
  });

  it("is followed by another copy when the first was kept for its time and nobody wanted it", async () => {
    const { leader, back } = await leaveBehind({
      limits: { snapshotCopyKeptMs: 1, snapshotRetryMinMs: 400, snapshotRetryMaxMs: 400 },
    });
    const first = await until(() => attempts[0]);
    first.fail("cut");
    await until(() => !existsSync(first.path));
    const second = await until(() => attempts[1]);
    expect(second.transfer.copy).not.toBe(first.transfer.copy);
    await second.deliver();
    await expectSame(back, leader);
  });

  it("a member that does not install what it was sent in time is sent it again", async () => {
    const { leader, back } = await leaveBehind({ limits: { snapshotReplyTimeoutMs: 50 } });
    const first = await until(() => attempts[0]);
    first.lose();
    await until(() => attempts.length > 1);
    expect(leader.trouble).toEqual([`${back.id}: it did not install what it was sent in time`]);
    attempts[1]!.fail("cut");
    isHeld = false;
    await expectSame(back, leader);
  });
});

describe("R4 compaction and a snapshot on its way", () => {
  it("nothing that the member will need is let go of meanwhile", async () => {
    const { leader, back } = await leaveBehind();
    const attempt = await until(() => attempts[0]);
    const { index } = attempt.message.meta;
    for (let i = 0; i < 6; i += 1) await writeSome(leader);
    expect(leader.log.status().firstIndex).toBeLessThanOrEqual(index + 1);
    attempt.fail("cut");
    for (let i = 0; i < 3; i += 1) await writeSome(leader);
    const again = await until(() => attempts[1]);
    expect(again.transfer.copy).toBe(attempt.transfer.copy);
    expect(leader.log.status().firstIndex).toBeLessThanOrEqual(index + 1);
    await again.deliver();
    await expectSame(back, leader);
    expect(attempts).toHaveLength(2);
    await writeSome(leader);
    await until(() => leader.log.status().firstIndex > index + 1);
  });

  it("past its limit the log is compacted all the same, and the next attempt takes a new copy", async () => {
    const { leader, back } = await leaveBehind({ limits: { retainedBytesDuringSnapshotMax: 96 * KIB } });
    const first = await until(() => attempts[0]);
    while (leader.log.status().firstIndex <= first.message.meta.index + 1) await writeSome(leader);
    first.fail("cut");
    const second = await until(() => attempts[1]);
    expect(second.transfer.copy).not.toBe(first.transfer.copy);
    expect(second.message.meta.index).toBeGreaterThan(first.message.meta.index);
    isHeld = false;
    await second.deliver();
    await expectSame(back, leader);
  });
});

describe("R4 leaders and members that change meanwhile", () => {
  it("a leader that no longer leads stops sending and lets go of its copy; the next one sends its own", async () => {
    const { leader, back, other } = await leaveBehind();
    const first = await until(() => attempts[0]);
    await leader.log.transferLeader(other.id);
    await until(() => first.transfer.signal.aborted);
    await until(() => !existsSync(first.path));
    const next = await until(() => attempts.find(({ from }) => from === other.id));
    isHeld = false;
    await next.deliver();
    await expectSame(back, other);
  });

  it("writes go on while a member takes long over its snapshot", async () => {
    const { leader, back } = await leaveBehind();
    const attempt = await until(() => attempts[0]);
    const { term } = leader.log.status();
    for (let i = 0; i < 3; i += 1) await writeSome(leader);
    expect(leader.log.status()).toMatchObject({ role: "leader", term });
    await attempt.deliver();
    await expectSame(back, leader);
  });

  it("a node that stops gives up what it sends, and leaves no copy behind", async () => {
    const { leader } = await leaveBehind();
    const attempt = await until(() => attempts[0]);
    await stop(leader);
    expect(attempt.transfer.signal.aborted).toBe(true);
    expect(existsSync(attempt.path)).toBe(false);
  });
});

describe("R4 a member that cannot take a snapshot", () => {
  it("is not sent one in a format that it is not known to read, until it is", async () => {
    let reads = false;
    const { leader, back } = await leaveBehind({ readsSnapshots: () => reads });
    await until(() => leader.trouble.length > 1);
    expect(leader.trouble[0]).toBe(`${back.id}: it is not known to read snapshots of format 1`);
    expect(attempts).toEqual([]);
    reads = true;
    isHeld = false;
    await expectSame(back, leader);
  });

  it("because its disk is full leaves the leader leading and the others replicating, and is tried again", async () => {
    const { leader, back, other } = await leaveBehind();
    for (let i = 0; i < 3; i += 1) {
      const attempt = await until(() => attempts[i]);
      attempt.fail("the member refused it: no space left on device");
      await leader.log.propose(createEntry(0, `full${(names += 1)}`).data);
    }
    expect(leader.log.status().role).toBe("leader");
    await expectSame(other, leader);
    await (await until(() => attempts[3])).deliver();
    await expectSame(back, leader);
  });
});

describe("R10 results of idempotent writes", () => {
  it("are in snapshots: whoever got one answers the first result when it leads", async () => {
    const idempotency = { scope: "once", digest: "d" };
    const command = testCommand("revoke_token", { jti: "j", expires_at_ms: 9e15 }, { idempotency });
    isHeld = false;
    const nodes = await Promise.all(MEMBERS.map((id) => open(id)));
    const leader = await leaderOf(nodes);
    const behind = nodes.find((node) => node !== leader)!;
    await stop(behind);
    const first = await leader.log.propose(entryOf(1, command).data);
    while (leader.log.status().firstIndex <= first.index) await writeSome(leader);
    const back = await open(behind.id);
    await expectSame(back, leader);
    await leader.log.transferLeader(back.id);
    await until(() => back.log.status().role === "leader");
    const { result } = await back.log.propose(entryOf(1, command).data);
    expect(result).toMatchObject({ ok: true, replayed: true, index: first.index });
  });
});
