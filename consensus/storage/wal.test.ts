// Over 400 lines: every way to damage a log needs the same helpers that write, cut and reopen one.
import fs from "node:fs";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert as assertProperty, asyncProperty, integer, nat } from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Entry, SnapshotMeta } from "../raft/types.ts";
import { type FileLayer, nodeFileLayer } from "./file-layer.ts";
import { faultyFileLayer, withoutWritevSynced } from "./faulty-file-layer.testing.ts";
import { scanSegment } from "./wal-segment.ts";
import { openWal, type Wal, type WalOptions, type WalSync } from "./wal.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-wal-"));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
let serial = 0;
const newDirectory = (): string => join(root, String((serial += 1)));
const membership = { voters: [1], outgoing: [], learners: [] };
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const entry = (index: number, term = 1, text = `command ${index}`): Entry => ({
  index,
  term,
  kind: "command",
  data: bytesOf(text),
});
const snapshotAt = (index: number, term = 1): SnapshotMeta => ({ index, term, membership });
const small = { segmentBytes: 2048, preallocateBytes: 512 };
function open(directory: string, options: Partial<WalOptions> = {}): Promise<Wal> {
  const onPoisoned = (error: Error): void => {
    throw error;
  };
  return openWal({ directory, onPoisoned, ...small, ...options });
}
const walFiles = (directory: string): string[] =>
  fs
    .readdirSync(directory)
    .toSorted()
    .map((name) => join(directory, name));
const all = (wal: Wal): Entry[] => wal.log.entries(wal.log.firstIndex(), wal.log.lastIndex() + 1, Infinity);

describe("R3 write-ahead log", () => {
  it("R3 gives back entries, hard state, cluster and kinds after a reopen", async () => {
    const directory = newDirectory();
    const wal = await open(directory);
    await wal.initialise({ nodeId: 7, membership });
    const written: Entry[] = [
      { index: 1, term: 1, kind: "noop", data: new Uint8Array() },
      { index: 2, term: 1, kind: "membership", data: bytesOf("m") },
      entry(3),
      { index: 4, term: 2 ** 40, kind: "command", data: new Uint8Array(5000).fill(9) },
    ];
    await wal.append({ entries: written, hardState: { term: 2 ** 40, vote: 7, commit: 3 } });
    await wal.close();
    const again = await open(directory);
    expect(all(again)).toEqual(written);
    expect(again.hardState()).toEqual({ term: 2 ** 40, vote: 7, commit: 3 });
    expect(again.cluster()).toEqual({ nodeId: 7, membership });
    expect(again.report.repaired).toBeNull();
    await again.close();
  });

  it("R3 overwrites a suffix, and the old one stays gone", async () => {
    const directory = newDirectory();
    const wal = await open(directory);
    await wal.append({ entries: [entry(1), entry(2), entry(3)] });
    await wal.append({ entries: [entry(2, 2, "other")] });
    expect(all(wal)).toEqual([entry(1), entry(2, 2, "other")]);
    await wal.close();
    const again = await open(directory);
    expect(all(again)).toEqual([entry(1), entry(2, 2, "other")]);
    await again.close();
  });

  it("R3 refuses a gap and writes nothing of it", async () => {
    const wal = await open(newDirectory());
    await wal.append({ entries: [entry(1)] });
    await expect(wal.append({ entries: [entry(3)] })).rejects.toThrow(RangeError);
    await wal.append({ entries: [entry(2)] });
    expect(wal.log.lastIndex()).toBe(2);
    await wal.close();
  });

  it("R3 syncs appends that arrive during a sync together", async () => {
    const files = faultyFileLayer();
    const syncs: WalSync[] = [];
    const wal = await open(newDirectory(), { files, onSync: (sync) => syncs.push(sync) });
    const before = files.counts.syncs;
    await Promise.all(Array.from({ length: 50 }, (_, i) => wal.append({ entries: [entry(i + 1)] })));
    expect(files.counts.syncs - before).toBe(2);
    expect(syncs.map((sync) => sync.appends)).toEqual([1, 49]);
    await wal.close();
  });

  it("R3 has one write and sync on its way at most, over new segments too, and syncs all before it answers", async () => {
    let underway = 0;
    let most = 0;
    let dirty = 0;
    const alone = async <T>(act: () => Promise<T>): Promise<T> => {
      underway += 1;
      most = Math.max(most, underway);
      return act().finally(() => {
        underway -= 1;
      });
    };
    const files: FileLayer = {
      ...nodeFileLayer,
      open: async (path, mode) => {
        const file = await nodeFileLayer.open(path, mode);
        return {
          ...withoutWritevSynced(file),
          writev: (pieces, position) => {
            dirty += 1;
            return alone(() => file.writev(pieces, position));
          },
          datasync: async () => {
            const covered = dirty;
            await alone(() => file.datasync());
            dirty -= covered;
          },
        };
      },
    };
    const wal = await open(newDirectory(), { files });
    await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        // Some come while others are being synced.
        for (let turn = 0; turn < i % 7; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        const next = wal.log.lastIndex() + 1;
        await wal.append({ hardState: { term: i + 1, vote: 0, commit: 0 } });
        expect(dirty).toBe(0);
        expect(wal.log.lastIndex()).toBeGreaterThanOrEqual(next - 1);
      }),
    );
    for (let index = 1; index <= 40; index += 1) await wal.append({ entries: [entry(index, 99)] });
    expect(most).toBe(1);
    await wal.close();
  });

  it("R3 keeps a commit that moved alone for the next group, and writes it on close", async () => {
    const directory = newDirectory();
    const files = faultyFileLayer();
    const wal = await open(directory, { files });
    await wal.append({ entries: [entry(1)], hardState: { term: 1, vote: 1, commit: 0 } });
    const before = files.counts.syncs;
    await wal.append({ hardState: { term: 1, vote: 1, commit: 1 } });
    expect(files.counts.syncs).toBe(before);
    await wal.append({ hardState: { term: 2, vote: 0, commit: 1 } });
    expect(files.counts.syncs).toBe(before + 1);
    await wal.append({ hardState: { term: 2, vote: 0, commit: 2 } });
    await wal.close();
    const again = await open(directory);
    expect(again.hardState()).toEqual({ term: 2, vote: 0, commit: 2 });
    await again.close();
  });

  it("R3 shows an entry to readers only once it is durable", async () => {
    const wal = await open(newDirectory());
    let seenDuringSync = -1;
    await wal.append({ entries: [entry(1)] }, () => {
      seenDuringSync = wal.log.lastIndex();
    });
    expect(seenDuringSync).toBe(0);
    expect(wal.log.lastIndex()).toBe(1);
    expect(wal.log.term(1)).toBe(1);
    expect(wal.log.term(2)).toBeUndefined();
    await wal.close();
  });

  it("R3 cuts entries by bytes but never to none", async () => {
    const wal = await open(newDirectory());
    await wal.append({ entries: [entry(1, 1, "aaaa"), entry(2, 1, "bbbb"), entry(3, 1, "cccc")] });
    expect(wal.log.entries(1, 4, 1).map((e) => e.index)).toEqual([1]);
    expect(wal.log.entries(1, 4, 8).map((e) => e.index)).toEqual([1, 2]);
    expect(wal.log.entries(2, 3, 100).map((e) => e.index)).toEqual([2]);
    await wal.close();
  });

  it("R4 compaction removes old segments and survives a reopen", async () => {
    const directory = newDirectory();
    const wal = await open(directory);
    await wal.initialise({ nodeId: 1, membership });
    for (let i = 1; i <= 60; i += 1) await wal.append({ entries: [entry(i, 1, "x".repeat(200))] });
    expect(walFiles(directory).length).toBeGreaterThan(4);
    await wal.compact(snapshotAt(50));
    await wal.append({ entries: [entry(61)], hardState: { term: 1, vote: 1, commit: 60 } });
    expect(walFiles(directory).length).toBeLessThan(4);
    expect(wal.log.firstIndex()).toBe(51);
    expect(wal.log.term(50)).toBe(1);
    expect(wal.log.entries(50, 55, 9999)).toEqual([]);
    await wal.close();
    const again = await open(directory);
    expect(again.log.firstIndex()).toBe(51);
    expect(again.log.lastIndex()).toBe(61);
    expect(again.log.snapshot()).toEqual(snapshotAt(50));
    expect(again.cluster()).toEqual({ nodeId: 1, membership });
    await expect(again.compact(snapshotAt(99))).rejects.toThrow(RangeError);
    await again.close();
  });

  it("R4 an installed snapshot replaces the log", async () => {
    const directory = newDirectory();
    const wal = await open(directory);
    await wal.append({ entries: [entry(1), entry(2)] });
    await wal.append({ snapshot: snapshotAt(10, 3), entries: [entry(11, 3)] });
    await wal.close();
    const again = await open(directory);
    expect(all(again)).toEqual([entry(11, 3)]);
    expect(again.log.term(10)).toBe(3);
    await again.close();
  });

  it("R4 a compaction that shares a group with a snapshot's install does not fall back behind it", async () => {
    const directory = newDirectory();
    const wal = await open(directory);
    await wal.append({ entries: [entry(1), entry(2), entry(3)] });
    // The first is a group of its own: the others wait for it and share the next.
    const [, installed, compacted, overwritten] = await Promise.allSettled([
      wal.append({ entries: [entry(4)] }),
      wal.append({ snapshot: snapshotAt(10, 3), entries: [entry(11, 3)] }),
      wal.compact(snapshotAt(3)),
      wal.append({ entries: [entry(4, 4)] }),
    ]);
    expect(installed?.status).toBe("fulfilled");
    expect(compacted).toMatchObject({ reason: expect.any(RangeError) as RangeError });
    expect(overwritten).toMatchObject({ reason: expect.any(RangeError) as RangeError });
    expect(wal.log.snapshot()).toEqual(snapshotAt(10, 3));
    await wal.compact(snapshotAt(11, 3));
    await wal.close();
    const again = await open(directory);
    expect(again.log.snapshot()).toEqual(snapshotAt(11, 3));
    await again.close();
  });
});

describe("R3 a disk that fails", () => {
  it("R3 completes short writes", async () => {
    const directory = newDirectory();
    const wal = await open(directory, { files: faultyFileLayer({ writeBytesMax: 37 }) });
    await wal.append({ entries: [entry(1, 1, "y".repeat(1000)), entry(2)] });
    await wal.close();
    const again = await open(directory);
    expect(all(again)).toEqual([entry(1, 1, "y".repeat(1000)), entry(2)]);
    await again.close();
  });

  it.each(["syncsBeforeFailure", "writesBeforeFailure"] as const)(
    "R3 is poisoned for good by a failure (%s)",
    async (fault) => {
      const files = faultyFileLayer();
      const poisoned: Error[] = [];
      const wal = await open(newDirectory(), { files, onPoisoned: (error) => poisoned.push(error) });
      await wal.append({ entries: [entry(1)] });
      files.faults[fault] = 0;
      const first = wal.append({ entries: [entry(2)] });
      const waiting = wal.append({ entries: [entry(3)] });
      await expect(first).rejects.toThrow("refuses to go on");
      await expect(waiting).rejects.toThrow("refuses to go on");
      files.faults[fault] = Infinity;
      await expect(wal.append({ entries: [entry(2)] })).rejects.toThrow("refuses to go on");
      await expect(wal.compact(snapshotAt(1))).rejects.toThrow("refuses to go on");
      expect(wal.log.lastIndex()).toBe(1);
      expect(poisoned).toHaveLength(1);
      await wal.close();
    },
  );

  it("R3 is poisoned when the next segment cannot be made, and recovers what was durable", async () => {
    const directory = newDirectory();
    const files = faultyFileLayer();
    let isFailing = false;
    const poisoned: Error[] = [];
    const wal = await open(directory, {
      files: {
        ...files,
        rename: (from, to) =>
          isFailing ? Promise.reject(new Error("EIO: injected")) : files.rename(from, to),
      },
      onPoisoned: (error) => poisoned.push(error),
    });
    await wal.append({ entries: [entry(1, 1, "x".repeat(3000))] });
    isFailing = true;
    await expect(wal.append({ entries: [entry(2)] })).rejects.toThrow("refuses to go on");
    expect(poisoned).toHaveLength(1);
    await wal.close();
    const again = await open(directory);
    expect(again.log.lastIndex()).toBe(1);
    expect(walFiles(directory)).toHaveLength(1);
    await again.append({ entries: [entry(2)] });
    await again.close();
  });

  it("R3 does not open when the first segment cannot be made", async () => {
    const files = faultyFileLayer();
    const poisoned: Error[] = [];
    const wal = await open(newDirectory(), {
      files: { ...files, syncDirectory: () => Promise.reject(new Error("EIO: injected")) },
      onPoisoned: (error) => poisoned.push(error),
    }).catch((error: unknown) => error);
    expect(String(wal)).toContain("EIO");
    expect(poisoned).toEqual([]);
  });
});

/** A log of several groups and segments, with the number of entries that were durable at each file length. */
async function writtenLog(groups: readonly number[], segmentBytes: number): Promise<string> {
  const directory = newDirectory();
  const wal = await open(directory, { segmentBytes, preallocateBytes: 256 });
  await wal.initialise({ nodeId: 1, membership });
  let index = 0;
  for (const size of groups) {
    const entries = Array.from({ length: size }, () => entry((index += 1), 1, "z".repeat(index % 23)));
    await wal.append({ entries, hardState: { term: 1, vote: 1, commit: index - size } });
  }
  await wal.close();
  return directory;
}

function usedBytes(file: Buffer): number {
  let used = file.byteLength;
  while (file[used - 1] === 0) used -= 1;
  return used;
}

function copy(directory: string): string {
  const target = newDirectory();
  fs.cpSync(directory, target, { recursive: true });
  return target;
}

const withoutSyncs = faultyFileLayer({ skipSyncs: true });

describe("R3 a crash at any byte", () => {
  it("R3 keeps whole groups, and nothing half, wherever the last segment is cut, zeroed or garbled from", async () => {
    const groups = [1, 3, 2, 5, 1];
    const sums = [0, 1, 4, 6, 11, 12];
    const directory = await writtenLog(groups, 1 << 20);
    const [path] = walFiles(directory);
    const whole = fs.readFileSync(path!);
    const used = usedBytes(whole);
    const empty = await open(newDirectory(), { segmentBytes: 1 << 20, preallocateBytes: 256 });
    await empty.close();
    // What a segment begins with is durable before the segment has its name.
    const header = walFiles(join(root, String(serial)))[0]!;
    const begun = scanSegment(header, fs.readFileSync(header), 1).cursor.offset;
    let previous = [0, 0, 0];
    const name = path!.slice(directory.length + 1);
    const target = newDirectory();
    fs.mkdirSync(target);
    for (let cut = begun; cut <= used; cut += 1) {
      const damaged: Buffer[] = [
        whole.subarray(0, cut),
        Buffer.concat([whole.subarray(0, cut), Buffer.alloc(whole.byteLength - cut)]),
        Buffer.concat([whole.subarray(0, cut), Buffer.alloc(97, 0xa5)]),
      ];
      const last: number[] = [];
      for (const bytes of damaged) {
        fs.writeFileSync(join(target, name), bytes);
        const wal = await open(target, { files: withoutSyncs });
        last.push(wal.log.lastIndex());
        if (cut % 7 > 0) {
          await wal.close();
          continue;
        }
        await wal.append({ entries: [entry(wal.log.lastIndex() + 1, 9, "after")] });
        await wal.close();
        const again = await open(target, { files: withoutSyncs });
        expect(again.log.term(again.log.lastIndex())).toBe(9);
        expect(again.report.repaired).toBeNull();
        await again.close();
      }
      for (const [i, lastIndex] of last.entries()) {
        expect(sums).toContain(lastIndex);
        expect(lastIndex).toBeGreaterThanOrEqual(previous[i]!);
      }
      previous = last;
    }
    expect(previous).toEqual([12, 12, 12]);
  }, 60_000);

  it("R3 refuses rot in what was durable, naming file and offset; never loses an acknowledged entry silently", async () => {
    const directory = await writtenLog([2, 3, 4, 5, 6, 7, 8, 9], 700);
    const paths = walFiles(directory);
    expect(paths.length).toBeGreaterThan(2);
    const sound = await open(copy(directory));
    const expected = all(sound);
    expect(expected).toHaveLength(44);
    await sound.close();
    await assertProperty(
      asyncProperty(nat(paths.length - 1), nat(), integer({ min: 1, max: 255 }), async (file, at, mask) => {
        const target = copy(directory);
        const path = walFiles(target)[file]!;
        const bytes = fs.readFileSync(path);
        const offset = at % bytes.byteLength;
        bytes[offset] = bytes[offset]! ^ mask;
        fs.writeFileSync(path, bytes);
        const outcome = await open(target, { files: withoutSyncs }).then(
          async (wal) => {
            await wal.close();
            return wal;
          },
          (error: unknown) => error as Error,
        );
        fs.rmSync(target, { recursive: true });
        if (outcome instanceof Error) {
          expect(outcome.name).toBe("WalCorruptError");
          expect(outcome.message).toMatch(/write-ahead log .*\.wal is corrupt at offset \d+/);
          return;
        }
        // Only the very last group may look torn, for nothing later proves that it had been durable; rot in the zeros
        // between records harms nothing.
        if (file === paths.length - 1) expect(outcome.log.lastIndex()).toBeGreaterThanOrEqual(44 - 9);
        else expect(all(outcome)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it("R3 refuses a missing segment, a foreign segment and a shortened one", async () => {
    const directory = await writtenLog([2, 3, 4, 5, 6, 7, 8, 9], 700);
    const other = await writtenLog([2, 3, 4, 5, 6, 7, 8, 9], 700);
    const missing = copy(directory);
    fs.rmSync(walFiles(missing)[1]!);
    await expect(open(missing)).rejects.toThrow(/segment 2 is missing/);
    const first = copy(directory);
    fs.rmSync(walFiles(first)[0]!);
    await expect(open(first)).rejects.toThrow(/are in no segment/);
    const foreign = copy(directory);
    fs.copyFileSync(walFiles(other)[1]!, walFiles(foreign)[1]!);
    await expect(open(foreign)).rejects.toThrow(/belongs to another log/);
    const shortened = copy(directory);
    fs.truncateSync(walFiles(shortened)[0]!, 500);
    await expect(open(shortened)).rejects.toThrow(/is corrupt at offset/);
  });

  it("R3 sweeps a segment that was never finished", async () => {
    const directory = await writtenLog([2], 1 << 20);
    const leftover = join(directory, "0000000002-0000000000000003.wal.new");
    fs.writeFileSync(leftover, "half");
    const wal = await open(directory);
    expect(wal.log.lastIndex()).toBe(2);
    expect(fs.existsSync(leftover)).toBe(false);
    await wal.close();
  });
});
