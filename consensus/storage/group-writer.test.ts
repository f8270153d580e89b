import { describe, expect, it } from "vitest";
import { faultyFileLayer } from "./faulty-file-layer.testing.ts";
import type { LogFile } from "./file-layer.ts";
import { GroupWriter, PROMPT_AGAIN_GROUPS, PROMPT_BYTES_MAX, PROMPT_SYNC_MS_MAX } from "./group-writer.ts";
import type { WalRecord } from "./wal-record.ts";
import { openWal } from "./wal.ts";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ALLOCATED_BYTES = 1 << 20;
const recordOf = (bytes: number): WalRecord => ({
  type: "entry",
  entry: { index: 1, term: 1, kind: "command", data: new Uint8Array(bytes) },
});

/** A disk whose every sync takes `diskMs`, and what was done how. */
function slowDisk(): { file: LogFile; disk: { ms: number }; calls: string[]; writer: GroupWriter } {
  const calls: string[] = [];
  const disk = { ms: 0 };
  let nowMs = 0;
  const file: LogFile = {
    writev: (pieces) => {
      calls.push("handed over");
      return Promise.resolve(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
    },
    datasync: () => {
      nowMs += disk.ms;
      return Promise.resolve();
    },
    writevSynced: () => {
      calls.push("on the spot");
      nowMs += disk.ms;
    },
    truncate: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  const writer = new GroupWriter(ALLOCATED_BYTES, () => nowMs);
  writer.use(file, { seed: 1, offset: 0, previousCrc: 0, group: 0 }, ALLOCATED_BYTES);
  return { file, disk, calls, writer };
}

describe("R3 a small group on a fast disk", () => {
  it("R3 is written and synced on the spot once a sync has been seen to be fast", async () => {
    const { calls, writer } = slowDisk();
    for (let i = 0; i < 3; i += 1) await writer.write([recordOf(10)], [undefined]);
    expect(calls).toEqual(["handed over", "on the spot", "on the spot"]);
  });

  it("R3 is handed over when it is large, when zeros are to be written with it, or when there is something to do meanwhile", async () => {
    const { calls, writer, file } = slowDisk();
    await writer.write([recordOf(10)], []);
    await writer.write([recordOf(PROMPT_BYTES_MAX)], []);
    let done = 0;
    await writer.write([recordOf(10)], [undefined, () => (done += 1)]);
    expect(done).toBe(1);
    writer.use(file, writer.cursor, writer.cursor.offset);
    await writer.write([recordOf(10)], []);
    expect(calls).toEqual(Array.from({ length: 4 }, () => "handed over"));
  });

  it("R3 stalls the thread once when the disk turns slow, and again only after many fast syncs", async () => {
    const { calls, writer, disk } = slowDisk();
    await writer.write([recordOf(10)], []);
    disk.ms = PROMPT_SYNC_MS_MAX;
    for (let i = 0; i < 5; i += 1) await writer.write([recordOf(10)], []);
    expect(calls.filter((call) => call === "on the spot")).toHaveLength(1);
    disk.ms = 0;
    calls.length = 0;
    for (let i = 0; i <= PROMPT_AGAIN_GROUPS; i += 1) await writer.write([recordOf(10)], []);
    expect(calls.lastIndexOf("handed over")).toBe(PROMPT_AGAIN_GROUPS - 1);
    expect(calls.at(-1)).toBe("on the spot");
  });
});

describe("R3 whether the thread would wait for the disk", () => {
  it.each([
    ["a fast disk and few bytes: yes", true, 0, 10, true],
    ["many bytes: no", true, 0, PROMPT_BYTES_MAX, false],
    ["a slow disk: no", true, PROMPT_SYNC_MS_MAX, 10, false],
    ["a file that cannot: no", false, 0, 10, false],
  ])("R3 %s", async (_what, canWriteSynced, syncMs, bytes, expected) => {
    const directory = mkdtempSync(join(tmpdir(), "conflux-group-"));
    let nowMs = 0;
    const files = faultyFileLayer({ canWriteSynced });
    const wal = await openWal({
      directory,
      files,
      nowMs: () => (nowMs += syncMs),
      onPoisoned: () => undefined,
    });
    const entry = (index: number, size: number) => ({
      index,
      term: 1,
      kind: "command" as const,
      data: new Uint8Array(size),
    });
    // Nobody knows how fast the disk is yet.
    expect(wal.wouldWaitFor([entry(1, bytes)])).toBe(false);
    await wal.append({ entries: [entry(1, 10)] });
    await wal.append({ entries: [entry(2, 10)] });
    expect(wal.wouldWaitFor([entry(3, bytes)])).toBe(expected);
    await wal.close();
    rmSync(directory, { recursive: true });
  });
});

describe("R3 a disk that fails on the spot", () => {
  it.each(["syncsBeforeFailure", "writesBeforeFailure"] as const)(
    "R3 poisons the log for good (%s), and what was durable is there at the next start",
    async (fault) => {
      const directory = mkdtempSync(join(tmpdir(), "conflux-group-"));
      const files = faultyFileLayer({ canWriteSynced: true });
      const poisoned: Error[] = [];
      // On this clock every sync is fast.
      const options = {
        directory,
        files,
        nowMs: () => 0,
        onPoisoned: (error: Error) => poisoned.push(error),
      };
      const entry = (index: number) => ({
        index,
        term: 1,
        kind: "command" as const,
        data: new Uint8Array(9),
      });
      const wal = await openWal(options);
      await wal.append({ entries: [entry(1)] });
      await wal.append({ entries: [entry(2)] });
      files.faults[fault] = 0;
      const first = wal.append({ entries: [entry(3)] });
      const waiting = wal.append({ entries: [entry(4)] });
      await expect(first).rejects.toThrow("refuses to go on");
      await expect(waiting).rejects.toThrow("refuses to go on");
      expect(wal.log.lastIndex()).toBe(2);
      expect(poisoned).toHaveLength(1);
      await wal.close();
      const again = await openWal({ directory, onPoisoned: () => undefined });
      expect(again.log.lastIndex()).toBeGreaterThanOrEqual(2);
      await again.close();
      rmSync(directory, { recursive: true });
    },
  );
});
