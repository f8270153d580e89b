/** The checklist of the consensus core, disk and state machine: one test for each item. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { ApplyOutcome } from "../domain/command/apply-command.ts";
import { scanAll } from "../domain/command/scan-all.ts";
import { testCommand, testConfigPayload } from "../domain/command/testing-commands.ts";
import { Compactor } from "./raft-log-compact.ts";
import { openRaftLog } from "./raft-log.ts";
import type { Entry } from "./raft/types.ts";
import type { ReplicatedLog, StateMachine } from "./replicated-log.ts";
import { StateStore } from "./state/state-store.ts";
import { createEntry, entryOf } from "./state/testing-entries.ts";
import { memoryFileLayer, type MemoryFileLayer } from "./storage/memory-file-layer.testing.ts";
import { openWal } from "./storage/wal.ts";
import { createMemoryNetwork } from "./transport/memory-network.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-checklist-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let logs: ReplicatedLog<unknown>[] = [];
afterEach(async () => {
  await Promise.all(logs.map((log) => log.stop()));
  logs = [];
});
async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const entryAt = (index: number): Entry => ({ index, term: 1, kind: "command", data: new Uint8Array(60) });

describe("R3 checklist: disk", () => {
  it("a rename without directory fsync loses nothing that was acknowledged", async () => {
    const options = {
      directory: "/wal",
      segmentBytes: 700,
      preallocateBytes: 256,
      onPoisoned: () => undefined,
    };
    // The power is cut after each single operation on the disk in turn: before, in and after every change of segment.
    for (let operations = 1, acknowledged = 0; acknowledged < 40; operations += 1) {
      const files = memoryFileLayer();
      const wal = await openWal({ ...options, files });
      files.failAfter(operations);
      acknowledged = 0;
      const write = async (): Promise<void> => {
        for (;;) {
          await wal.append({ entries: [entryAt(acknowledged + 1)] });
          acknowledged += 1;
        }
      };
      await expect(write()).rejects.toThrow("refuses to go on");
      files.cutPower();
      const again = await openWal({ ...options, files });
      expect(again.log.lastIndex()).toBeGreaterThanOrEqual(acknowledged);
      await again.append({ entries: [entryAt(again.log.lastIndex() + 1)] });
      await again.close();
    }
  });

  it("the applied index is atomic with the state", () => {
    const path = join(root, "atomic.db");
    const store = new StateStore({ path, clusterId: "c1", journal: "wal" });
    store.apply([createEntry(1, "a")]);
    store.settle();
    // The disk fails at the position alone: after the rows were written, in whatever order the store writes.
    const other = new DatabaseSync(path);
    other.exec(`CREATE TRIGGER broken BEFORE UPDATE ON meta WHEN NEW.key = 'last_applied'
      BEGIN SELECT RAISE(FAIL, 'the disk failed'); END`);
    store.apply([createEntry(2, "b"), createEntry(3, "c")]);
    expect(() => store.settle()).toThrow("the disk failed");
    expect(() => store.apply([createEntry(4, "d")])).toThrow("the disk failed");
    other.exec("DROP TRIGGER broken");
    other.close();
    store.close();
    const again = new StateStore({ path, clusterId: "c1", journal: "wal" });
    expect(again.lastApplied()).toBe(1);
    expect([...scanAll(again, "c/")]).toHaveLength(1);
    expect(again.apply([createEntry(2, "b"), createEntry(3, "c")])).toMatchObject([
      { ok: true },
      { ok: true },
    ]);
    again.close();
  });

  it("compaction racing apply never lets go of what the state could lose", async () => {
    const files = memoryFileLayer();
    const machine = forgetfulMachine();
    const directory = join(root, "racing");
    const acknowledged = new Set<number>();
    for (let round = 1; round <= 6; round += 1) {
      const log = await openAlone(directory, files, machine);
      const write = async (): Promise<void> => {
        for (;;) acknowledged.add((await log.propose(new Uint8Array(200))).index);
      };
      const writers = Promise.allSettled(Array.from({ length: 8 }, write));
      await until(() => acknowledged.size >= round * 150);
      machine.cutPower();
      files.cutPower();
      await Promise.allSettled([log.stop(), writers]);
    }
    // Every start found in the log what the state had lost; an entry that was let go of would have stopped it.
    const last = await openAlone(directory, files, machine);
    await until(() => machine.lastApplied() >= Math.max(...acknowledged));
    expect(last.status().firstIndex).toBeGreaterThan(300);
    expect(last.status().firstIndex - 1).toBeLessThanOrEqual(machine.durable());
    expect([...acknowledged].filter((index) => !machine.has(index))).toEqual([]);
    await last.stop();
    // Nor of what is not applied yet, however much there is of it.
    const wal = await openWal({ directory: "/other", files: memoryFileLayer(), onPoisoned: () => undefined });
    await wal.initialise({ nodeId: 1, membership: { voters: [1], outgoing: [], learners: [] } });
    await wal.append({ entries: Array.from({ length: 100 }, (_, i) => entryAt(i + 1)) });
    const none = { retainedBytesMax: 0, retainedBytesAfter: 0, retainedBytesDuringSnapshotMax: 0 };
    const compactor = new Compactor(wal, {}, none);
    expect(compactor.whenDue({ appliedIndex: 0, heldIndex: 0 })).toBeNull();
    await compactor.whenDue({ appliedIndex: 50, heldIndex: 0 });
    expect([wal.log.firstIndex(), wal.log.lastIndex()]).toEqual([51, 100]);
    await wal.close();
  });
});

/** Remembers which entries were commands, over a power cut only as far as it was asked to make them durable. */
function forgetfulMachine(): StateMachine<number> & {
  cutPower(): void;
  durable(): number;
  has(index: number): boolean;
} {
  const commands = new Set<number>();
  let last = 0;
  let durable = 0;
  return {
    lastApplied: () => last,
    apply: (entries) =>
      entries.map(({ index, data }) => {
        if (index !== last + 1) throw new Error(`entry ${index} after ${last}`);
        last = index;
        if (data !== null) commands.add(index);
        return index;
      }),
    makeDurable: () => {
      durable = last;
    },
    close: () => undefined,
    cutPower: () => {
      for (const index of commands) if (index > durable) commands.delete(index);
      last = durable;
    },
    durable: () => durable,
    has: (index) => commands.has(index),
  };
}

async function openAlone(
  directory: string,
  files: MemoryFileLayer,
  stateMachine: StateMachine<number>,
): Promise<ReplicatedLog<number>> {
  const log = await openRaftLog<number>({
    nodeId: 1,
    directory,
    members: [1],
    stateMachine,
    transport: createMemoryNetwork().transport(1),
    onFatal: () => undefined,
    limits: { retainedBytesMax: 20_000, retainedBytesAfter: 4_000 },
    host: { files },
  });
  await log.start();
  return log;
}

describe("R10 checklist: repeated commands", () => {
  it("a duplicate command after failover answers its first result", async () => {
    const network = createMemoryNetwork();
    const members = [1, 2, 3];
    const nodes = await Promise.all(
      members.map(async (id) => {
        const directory = join(root, `failover-${id}`);
        mkdirSync(directory);
        const store = new StateStore({ path: join(directory, "state.db"), clusterId: "c1", journal: "wal" });
        const log = await openRaftLog<ApplyOutcome>({
          nodeId: id,
          directory,
          members,
          stateMachine: store,
          transport: network.transport(id),
          onFatal: () => undefined,
          limits: { tickMs: 50 },
        });
        logs.push(log);
        void log.start();
        return { id, log, store };
      }),
    );
    const leaderOf = () => until(() => nodes.find(({ log }) => log.status().role === "leader"));
    const idempotency = { scope: "s".repeat(64), digest: "d".repeat(64) };
    const bytes = new TextEncoder().encode("{}");
    const sha256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    const command = testCommand("create_config", testConfigPayload("once", sha256), { idempotency });
    const before = await leaderOf();
    const first = await before.log.propose(entryOf(1, command, [bytes]).data);
    expect(first.result).toMatchObject({ ok: true, index: first.index });
    // The client never hears the answer: the leader dies, and another is asked the same again.
    nodes.splice(nodes.indexOf(before), 1);
    await before.log.stop();
    const after = await leaderOf();
    const second = await after.log.propose(entryOf(900, command, [bytes]).data);
    expect(second.index).toBeGreaterThan(first.index);
    expect(second.result).toEqual({ ...first.result, replayed: true });
    expect([...scanAll(after.store, "c/")]).toHaveLength(1);
    expect(after.store.lastFeedIndex()).toBe(first.index);
  });
});
