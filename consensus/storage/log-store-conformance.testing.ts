import { afterEach, describe, expect, it } from "vitest";
import type { Entry, SnapshotMeta } from "../raft/types.ts";
import type { FileLayer } from "./file-layer.ts";
import { openWal, type Wal } from "./wal.ts";

/** Where one log store lives. */
export interface LogStorePlace {
  files: FileLayer;
  directory: string;
  /** Takes away what was not synced, when the place can; then the log is opened again. */
  cutPower?(): void;
  cleanUp(): void;
}

const membership = { voters: [1, 2, 3], outgoing: [], learners: [] };
const entry = (index: number, term = 1, size = 20): Entry => ({
  index,
  term,
  kind: "command",
  data: new Uint8Array(size).fill(index),
});
const entries = (from: number, to: number, term = 1): Entry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, term));
const snapshotAt = (index: number, term = 1): SnapshotMeta => ({ index, term, membership });
const held = ({ log }: Wal): Entry[] => log.entries(log.firstIndex(), log.lastIndex() + 1, Infinity);

/** One place a test, and an end for every log opened in it. */
interface Harness {
  open(): Promise<Wal>;
  /** Opens it again: after a close, or after a power cut where the place can. */
  reopen(before: Wal): Promise<Wal>;
}

function useHarness(makePlace: () => LogStorePlace): Harness {
  let place: LogStorePlace | null = null;
  let open: Wal[] = [];
  afterEach(async () => {
    for (const wal of open) await wal.close();
    open = [];
    place?.cleanUp();
    place = null;
  });
  const openHere = async ({ files, directory }: LogStorePlace): Promise<Wal> => {
    const onPoisoned = (): void => undefined;
    const wal = await openWal({ directory, files, segmentBytes: 2048, preallocateBytes: 512, onPoisoned });
    open.push(wal);
    return wal;
  };
  return {
    open: () => {
      place = makePlace();
      return openHere(place);
    },
    reopen: async (before) => {
      if (place === null) throw new Error("nothing to open again");
      if (place.cutPower === undefined) await before.close();
      else {
        place.cutPower();
        open = open.filter((wal) => wal !== before);
      }
      return openHere(place);
    },
  };
}

/** What every log store does, wherever its bytes are; each file layer's test runs it. */
export function describeLogStore(name: string, makePlace: () => LogStorePlace): void {
  describe(`R3 log store: ${name}`, () => {
    const harness = useHarness(makePlace);
    describeKeeping(harness);
    describeSnapshots(harness);
  });
}

function describeKeeping(harness: Harness): void {
  it("R3 begins empty, and knows whose it is once it was told", async () => {
    const wal = await harness.open();
    expect([wal.log.firstIndex(), wal.log.lastIndex(), wal.log.term(0)]).toEqual([1, 0, 0]);
    expect([wal.cluster(), wal.log.snapshot()]).toEqual([null, null]);
    expect(wal.hardState()).toEqual({ term: 0, vote: 0, commit: 0 });
    await wal.initialise({ nodeId: 2, membership });
    const again = await harness.reopen(wal);
    expect(again.cluster()).toEqual({ nodeId: 2, membership });
  });

  it("R3 has whatever it acknowledged: entries over many segments, term, vote and commit", async () => {
    const wal = await harness.open();
    for (let from = 1; from <= 200; from += 10) {
      await wal.append({ entries: entries(from, from + 9), hardState: { term: 4, vote: 3, commit: from } });
    }
    const again = await harness.reopen(wal);
    expect(held(again)).toEqual(entries(1, 200));
    expect(again.hardState()).toEqual({ term: 4, vote: 3, commit: 191 });
  });

  it("R3 shows an entry only once it is durable, and cuts reads by bytes, never to nothing", async () => {
    const wal = await harness.open();
    const writing = wal.append({ entries: entries(1, 9) });
    expect(wal.log.lastIndex()).toBe(0);
    await writing;
    expect(wal.log.entries(3, 8, Infinity)).toEqual(entries(3, 7));
    expect(wal.log.entries(3, 8, 50).map(({ index }) => index)).toEqual([3, 4]);
    expect(wal.log.entries(3, 8, 0).map(({ index }) => index)).toEqual([3]);
    expect(wal.log.entries(10, 12, 99)).toEqual([]);
    expect([wal.log.term(9), wal.log.term(10)]).toEqual([1, undefined]);
  });

  it("R2 overwrites from an entry's index on, and what was behind it stays gone", async () => {
    const wal = await harness.open();
    await wal.append({ entries: entries(1, 50) });
    await wal.append({ entries: entries(20, 22, 2) });
    const again = await harness.reopen(wal);
    expect(held(again)).toEqual([...entries(1, 19), ...entries(20, 22, 2)]);
    await again.append({ entries: entries(23, 30, 3) });
    expect((await harness.reopen(again)).log.lastIndex()).toBe(30);
  });

  it("R3 refuses a gap without writing any of it, and goes on", async () => {
    const wal = await harness.open();
    await wal.append({ entries: entries(1, 3) });
    await expect(wal.append({ entries: entries(5, 6) })).rejects.toThrow(RangeError);
    await expect(wal.append({ entries: [entry(4), entry(6)] })).rejects.toThrow(RangeError);
    await wal.append({ entries: [entry(4)] });
    expect(held(await harness.reopen(wal))).toEqual(entries(1, 4));
  });
}

function describeSnapshots(harness: Harness): void {
  it("R4 lets go of what is compacted, with the term of the last entry, and keeps what is after", async () => {
    const wal = await harness.open();
    await wal.append({ entries: entries(1, 100), hardState: { term: 1, vote: 1, commit: 100 } });
    await wal.compact(snapshotAt(60));
    const look = ({ log }: Wal): unknown => [log.firstIndex(), log.lastIndex(), log.term(60), log.term(59)];
    expect(look(wal)).toEqual([61, 100, 1, undefined]);
    const again = await harness.reopen(wal);
    expect(look(again)).toEqual([61, 100, 1, undefined]);
    expect(again.log.snapshot()).toEqual(snapshotAt(60));
    expect(again.log.entries(50, 70, 999)).toEqual([]);
    await expect(again.compact(snapshotAt(101))).rejects.toThrow(RangeError);
    await expect(again.compact(snapshotAt(60))).rejects.toThrow(RangeError);
  });

  it("R4 an installed snapshot takes the place of the log, also of what lies behind its index", async () => {
    const wal = await harness.open();
    await wal.append({ entries: entries(1, 30) });
    await wal.append({ snapshot: snapshotAt(20, 3), entries: entries(21, 22, 3) });
    const again = await harness.reopen(wal);
    expect(held(again)).toEqual(entries(21, 22, 3));
    expect([again.log.snapshot(), again.log.term(20)]).toEqual([snapshotAt(20, 3), 3]);
    await again.append({ snapshot: snapshotAt(90, 4) });
    const empty = await harness.reopen(again);
    expect([empty.log.firstIndex(), empty.log.lastIndex(), empty.log.term(90)]).toEqual([91, 90, 4]);
    await empty.append({ entries: entries(91, 95, 4) });
    expect(held(await harness.reopen(empty))).toEqual(entries(91, 95, 4));
  });

  it("R4 holds no more bytes than it says, and can be asked where to compact to", async () => {
    const wal = await harness.open();
    await wal.append({ entries: entries(1, 100) });
    const each = wal.retainedBytes() / 100;
    expect(wal.indexBefore(each * 10)).toBe(90);
    await wal.compact(snapshotAt(90));
    expect(wal.retainedBytes()).toBe(each * 10);
  });
}
