import { describe, expect, it } from "vitest";
import type { Entry } from "./raft/types.ts";
import { encodeMembership } from "./raft/raw-node.ts";
import { Compactor, membershipAt } from "./raft-log-compact.ts";
import { memoryFileLayer } from "./storage/memory-file-layer.testing.ts";
import { openWal } from "./storage/wal.ts";

const FOUNDED = { voters: [1, 2, 3], outgoing: [], learners: [] };
const GROWN = { voters: [1, 2, 3, 4], outgoing: [], learners: [] };
const NOTHING_KEPT = { retainedBytesMax: 0, retainedBytesAfter: 0, retainedBytesDuringSnapshotMax: 0 };

/** A log of commands whose sixth entry is the membership that lets node 4 in. */
async function openLog(nodeId: number, voters: number[]) {
  const wal = await openWal({ directory: "/log", files: memoryFileLayer(), onPoisoned: () => undefined });
  await wal.initialise({ nodeId, membership: { voters, outgoing: [], learners: [] } });
  const entries = Array.from({ length: 8 }, (_, i): Entry => {
    const at = { index: i + 1, term: 1 };
    return at.index === 6
      ? { ...at, kind: "membership", data: encodeMembership(GROWN) }
      : { ...at, kind: "command", data: new Uint8Array(10) };
  });
  await wal.append({ entries });
  return wal;
}

describe("R4 R5 compaction and the membership", () => {
  it("a founder knows the membership at every index", async () => {
    const wal = await openLog(1, FOUNDED.voters);
    expect([membershipAt(wal, 5), membershipAt(wal, 6)]).toEqual([FOUNDED, GROWN]);
    await new Compactor(wal, {}, NOTHING_KEPT).whenDue({ appliedIndex: 5, heldIndex: Infinity });
    expect(wal.log.snapshot()).toEqual({ index: 5, term: 1, membership: FOUNDED });
  });

  it("one that joined knows none before the entry that let it in, and lets go of nothing up to there", async () => {
    const wal = await openLog(4, []);
    expect([membershipAt(wal, 5), membershipAt(wal, 6)]).toEqual([null, GROWN]);
    let made = 0;
    const compactor = new Compactor(wal, { makeDurable: () => void (made += 1) }, NOTHING_KEPT);
    expect(compactor.whenDue({ appliedIndex: 5, heldIndex: Infinity })).toBeNull();
    expect(await compactor.now(() => ({ applied: 5, waitedFor: 5 }))).toBe(5);
    expect([made, wal.log.firstIndex(), wal.log.snapshot()]).toEqual([1, 1, null]);
    await compactor.whenDue({ appliedIndex: 7, heldIndex: Infinity });
    expect(wal.log.snapshot()).toEqual({ index: 7, term: 1, membership: GROWN });
  });

  it("one that waits for another to end sees what began to be installed meanwhile", async () => {
    const wal = await openLog(1, FOUNDED.voters);
    const compactor = new Compactor(wal, {}, NOTHING_KEPT);
    let waitedFor = 8;
    const running = compactor.whenDue({ appliedIndex: 2, heldIndex: Infinity });
    const waiting = compactor.now(() => ({ applied: 5, waitedFor }));
    waitedFor = 0;
    await Promise.all([running, waiting]);
    expect(wal.log.firstIndex()).toBe(3);
  });
});
