import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { openRaftLog } from "./raft-log.ts";
import type { RaftLogOptions } from "./raft-log-options.ts";
import { describeReplicatedLog, type LogUnderTest } from "./replicated-log-conformance.testing.ts";
import { NotProposedError, OutcomeUnknownError } from "./replicated-log.ts";
import { commandOf, openCommandMachine } from "./sqlite-machine.testing.ts";
import { DirectoryLockedError } from "./storage/directory-lock.ts";
import { faultyFileLayer } from "./storage/faulty-file-layer.testing.ts";
import type { WalSync } from "./storage/wal.ts";
import { createMemoryNetwork } from "./transport/memory-network.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-raft-log-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let serial = 0;
const newDirectory = (): string => join(root, String((serial += 1)));
let opened: LogUnderTest[] = [];
afterEach(async () => {
  for (const { log } of opened) await log.stop();
  opened = [];
});

type Options = RaftLogOptions<string>;
/** One node over real files. Its state is in the same directory, or (`:memory:`) rebuilt from the log. */
async function openNode(
  directory: string,
  options: Partial<Options> = {},
  statePath = ":memory:",
): Promise<LogUnderTest> {
  const machine = openCommandMachine(statePath);
  const fatal: Error[] = [];
  const log = await openRaftLog<string>({
    nodeId: 1,
    directory,
    members: [1],
    stateMachine: machine,
    transport: createMemoryNetwork().transport(1),
    onFatal: (error) => fatal.push(error),
    ...options,
  });
  const node = { log, machine, fatal };
  opened.push(node);
  return node;
}

describeReplicatedLog("Raft, one node", () => {
  const directories = new Map<LogUnderTest, string>();
  const open = async (directory: string): Promise<LogUnderTest> => {
    const node = await openNode(directory);
    directories.set(node, directory);
    return node;
  };
  return {
    fresh: () => open(newDirectory()),
    reopen: (before) => open(directories.get(before)!),
    cleanUp: () => undefined,
  };
});

/** From now on the position cannot be written; false while the file is in use. */
function triggerFailures(db: DatabaseSync): boolean {
  try {
    db.exec(
      `CREATE TRIGGER broken BEFORE UPDATE ON applied BEGIN SELECT RAISE(FAIL, 'the disk failed'); END`,
    );
    return true;
  } catch (error) {
    if (error instanceof Error && error.message === "database is locked") return false;
    throw error;
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("R3 one node on real files", () => {
  it("R3 shares syncs between concurrent proposers", async () => {
    const syncs: WalSync[] = [];
    const { log } = await openNode(newDirectory(), { observer: { onSync: (sync) => syncs.push(sync) } });
    await log.start();
    const before = syncs.length;
    const rounds = 20;
    await Promise.all(
      Array.from({ length: 16 }, async (_, proposer) => {
        for (let i = 0; i < rounds; i += 1) await log.propose(commandOf(`${proposer}/${i}`));
      }),
    );
    expect(syncs.length - before).toBeLessThanOrEqual(3 * rounds);
  });

  it("R3 a copy of the files taken mid-write has every command acknowledged before it, once", async () => {
    const directory = newDirectory();
    const { log } = await openNode(directory);
    await log.start();
    const acknowledged: string[] = [];
    const stopping = new AbortController();
    const proposers = Array.from({ length: 16 }, async (_, proposer) => {
      for (let i = 0; !stopping.signal.aborted; i += 1) {
        const text = `${proposer}/${i}`;
        await log.propose(commandOf(text));
        acknowledged.push(text);
      }
    });
    const images: { directory: string; acknowledged: string[] }[] = [];
    for (let i = 1; i <= 5; i += 1) {
      while (acknowledged.length < i * 150) await new Promise((resolve) => setImmediate(resolve));
      const image = newDirectory();
      const before = [...acknowledged];
      cpSync(join(directory, "wal"), join(image, "wal"), { recursive: true });
      images.push({ directory: image, acknowledged: before });
    }
    stopping.abort();
    await Promise.all(proposers);
    for (const image of images) {
      const again = await openNode(image.directory);
      await again.log.start();
      const commands = new Set(again.machine.commands());
      expect(image.acknowledged.filter((text) => !commands.has(text))).toEqual([]);
      expect(again.fatal).toEqual([]);
    }
  });

  it("R4 compacts what is applied and restarts from there", async () => {
    const directory = newDirectory();
    const statePath = join(root, "compacted.db");
    const limits = { retainedBytesMax: 40_000, retainedBytesAfter: 10_000 };
    const { log } = await openNode(directory, { limits }, statePath);
    await log.start();
    for (let i = 0; i < 40; i += 1) {
      await Promise.all(
        Array.from({ length: 10 }, (_, j) => log.propose(commandOf(`${i}/${j} ${"x".repeat(100)}`))),
      );
    }
    expect(log.status().firstIndex).toBeGreaterThan(100);
    await log.stop();
    const again = await openNode(directory, { limits }, statePath);
    await again.log.start();
    await again.log.propose(commandOf("after"));
    expect(again.machine.commands()).toHaveLength(401);
    await again.log.stop();
    await expect(openNode(directory)).rejects.toThrow(/its log begins at \d+: state was lost/);
  });

  it("R3 refuses files that contradict each other, and lets go of the directory", async () => {
    const statePath = join(root, "contradiction.db");
    const directory = newDirectory();
    const first = await openNode(directory, {}, statePath);
    await first.log.start();
    await first.log.propose(commandOf("one"));
    await first.log.stop();
    await expect(openNode(directory, { nodeId: 2, members: [2] })).rejects.toThrow(
      /belongs to node 1, not to node 2/,
    );
    const lost = newDirectory();
    await expect(openNode(lost, {}, statePath)).rejects.toThrow(/but no log/);
    await expect(openNode(newDirectory(), { members: [2, 3] })).rejects.toThrow(/not among the members 2, 3/);
    const again = await openNode(directory, {}, statePath);
    await expect(openNode(directory)).rejects.toBeInstanceOf(DirectoryLockedError);
    await again.log.stop();
  });

  it("R3 a failed sync is fatal: the outcome is unknown, and nothing is accepted again", async () => {
    const files = faultyFileLayer();
    const { log, machine, fatal } = await openNode(newDirectory(), { host: { files } });
    await log.start();
    await log.propose(commandOf("durable"));
    files.faults.syncsBeforeFailure = 0;
    await expect(log.propose(commandOf("lost"))).rejects.toBeInstanceOf(OutcomeUnknownError);
    files.faults.syncsBeforeFailure = Infinity;
    await expect(log.propose(commandOf("next"))).rejects.toBeInstanceOf(NotProposedError);
    expect(machine.commands()).toEqual(["durable"]);
    expect(fatal).toHaveLength(1);
    expect(fatal[0]!.message).toContain("EIO");
  });

  it("R0 refuses a command past its limit, and proposals past what may wait, as not proposed", async () => {
    const limits = { entryBytesMax: 1000, uncommittedBytesMax: 2000 };
    const { log } = await openNode(newDirectory(), { limits });
    await log.start();
    await expect(log.propose(new Uint8Array(1001))).rejects.toBeInstanceOf(NotProposedError);
    const proposals = Array.from({ length: 5 }, (_, i) => log.propose(commandOf(`${i}`.padEnd(900))));
    const outcomes = await Promise.allSettled(proposals);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "rejected",
      "rejected",
    ]);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(NotProposedError);
    }
    await log.propose(commandOf("later"));
  });
});

describe("R3 what one node applied and has not written into its file yet", () => {
  it("R3 a tick brings what was applied into the state's file", async () => {
    const statePath = join(root, "settled.db");
    const { log, machine } = await openNode(newDirectory(), { limits: { tickMs: 20 } }, statePath);
    await log.start();
    await log.propose(commandOf("one"));
    const other = new DatabaseSync(statePath, { readOnly: true });
    const settled = other.prepare("SELECT idx FROM applied");
    await until(() => settled.get()?.["idx"] === machine.lastApplied());
    other.close();
  });

  it("R3 a commit of the state that fails at a tick is fatal, and the next start has what was answered", async () => {
    const directory = newDirectory();
    const statePath = join(root, "unsettled.db");
    const { log, machine, fatal } = await openNode(directory, { limits: { tickMs: 20 } }, statePath);
    await log.start();
    const answered = { isSo: false };
    machine.settle = () => {
      if (answered.isSo) throw new Error("the disk is full");
    };
    await log.propose(commandOf("answered"));
    answered.isSo = true;
    await until(() => fatal.length > 0);
    expect(fatal[0]!.message).toBe("the disk is full");
    await expect(log.propose(commandOf("late"))).rejects.toBeInstanceOf(NotProposedError);
    // What a kill in this moment leaves.
    const image = newDirectory();
    cpSync(join(directory, "wal"), join(image, "wal"), { recursive: true });
    for (const suffix of ["", "-wal"]) cpSync(statePath + suffix, join(root, `killed.db${suffix}`));
    const again = await openNode(image, {}, join(root, "killed.db"));
    expect(again.machine.commands()).toEqual([]);
    await again.log.start();
    expect(again.machine.commands()).toEqual(["answered"]);
  });

  it("R4 what could not be made durable on request is not let go of, and ends the node", async () => {
    const directory = newDirectory();
    const statePath = join(root, "undurable.db");
    const { log, fatal } = await openNode(directory, { limits: { tickMs: 20 } }, statePath);
    await log.start();
    await log.propose(commandOf("one"));
    const other = new DatabaseSync(statePath);
    await until(() => triggerFailures(other));
    await log.propose(commandOf("two"));
    await expect(log.triggerSnapshot()).rejects.toThrow(/the disk failed|not running/);
    await expect(log.triggerSnapshot()).rejects.toThrow(/the disk failed|not running/);
    await until(() => fatal.length > 0);
    expect(fatal[0]!.message).toBe("the disk failed");
    expect(log.status().firstIndex).toBe(1);
    await log.stop();
    other.exec("DROP TRIGGER broken");
    other.close();
    const again = await openNode(directory, {}, statePath);
    await again.log.start();
    expect(again.machine.commands()).toEqual(["one", "two"]);
  });

  it("R3 a state that cannot be closed leaves the directory free", async () => {
    const directory = newDirectory();
    const { log, machine } = await openNode(directory);
    await log.start();
    opened.pop();
    const close = machine.close.bind(machine);
    machine.close = () => {
      close();
      throw new Error("the disk is full");
    };
    await expect(log.stop()).rejects.toThrow("the disk is full");
    await (await openNode(directory)).log.start();
  });
});
