import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Batch, Entry, SnapshotMeta } from "./raft/types.ts";
import { splitCommitted } from "./raft-log-committed.ts";
import { openRaftLog } from "./raft-log.ts";
import { withoutWritevSynced } from "./storage/faulty-file-layer.testing.ts";
import type { FileLayer } from "./storage/file-layer.ts";
import { memoryFileLayer } from "./storage/memory-file-layer.testing.ts";
import { createMemoryNetwork } from "./transport/memory-network.ts";

const entry = (index: number): Entry => ({ index, term: 1, kind: "command", data: new Uint8Array(0) });
const snapshot: SnapshotMeta = {
  index: 3,
  term: 1,
  membership: { voters: [1], outgoing: [], learners: [] },
};

describe("R2 what is applied while a batch is written", () => {
  it.each<[string, number[], number[], SnapshotMeta | null, number[], number[]]>([
    ["all after it, when it writes none", [4, 5], [], null, [], [4, 5]],
    ["all that lie before the first it writes", [4, 5], [6, 7], null, [4, 5], []],
    ["none that it brings", [4, 5], [4, 5, 6], null, [], [4, 5]],
    ["a part", [4, 5, 6], [6, 7], null, [4, 5], [6]],
    ["none, when it writes over what was there", [4, 5], [3, 4, 5], null, [], [4, 5]],
    ["none behind a snapshot", [4, 5], [4, 5], snapshot, [], [4, 5]],
    ["nothing of nothing", [], [4], null, [], []],
  ])("%s", (_what, committed, entries, given, during, after) => {
    const batch: Batch = {
      hardState: null,
      committed: committed.map(entry),
      entries: entries.map(entry),
      snapshot: given,
      messages: [],
      messagesNow: [],
      readStates: [],
    };
    for (const waits of [true, false]) {
      const split = splitCommitted(batch, [entry(1)], waits);
      expect(split.during.map(({ index }) => index)).toEqual([1, ...during]);
      expect(split.after.map(({ index }) => index)).toEqual(after);
    }
    const alone = splitCommitted(batch, [], true);
    expect([alone.during, alone.after]).toEqual([[], batch.committed]);
  });
});

it("R2 a command is answered while the one after it is still being synced", async () => {
  const root = mkdtempSync(join(tmpdir(), "conflux-committed-"));
  const files = memoryFileLayer();
  /** Syncs that wait for the test; null: they go through. */
  let held: (() => void)[] | null = null;
  const gated: FileLayer = {
    ...files,
    open: async (path, mode) => {
      const file = await files.open(path, mode);
      const datasync = async (): Promise<void> => {
        const waiting = held;
        if (waiting !== null) await new Promise<void>((resolve) => void waiting.push(resolve));
        await file.datasync();
      };
      return { ...withoutWritevSynced(file), datasync };
    },
  };
  let applied = 0;
  const log = await openRaftLog<number>({
    nodeId: 1,
    directory: root,
    members: [1],
    stateMachine: {
      lastApplied: () => applied,
      apply: (entries) => {
        applied += entries.length;
        return entries.map(({ index }) => index);
      },
      close: () => undefined,
    },
    transport: createMemoryNetwork().transport(1),
    onFatal: () => undefined,
    host: { files: gated },
  });
  try {
    await log.start();
    const syncs: (() => void)[] = [];
    held = syncs;
    const syncing = (n: number) => expect.poll(() => syncs.length, { timeout: 10_000 }).toBe(n);
    const first = log.propose(new Uint8Array(1));
    await syncing(1);
    let isSecondAnswered = false;
    const second = log.propose(new Uint8Array(1)).then(() => (isSecondAnswered = true));
    syncs[0]!();
    await syncing(2);
    // The second one's sync does not end: the first was durable before it.
    await first;
    expect(isSecondAnswered).toBe(false);
    held = null;
    syncs[1]!();
    await second;
  } finally {
    await log.stop();
    rmSync(root, { recursive: true, force: true });
  }
});
