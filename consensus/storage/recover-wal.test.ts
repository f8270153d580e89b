import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Entry } from "../raft/types.ts";
import { withoutWritevSynced } from "./faulty-file-layer.testing.ts";
import { type FileLayer, nodeFileLayer } from "./file-layer.ts";
import { openWal, type Wal } from "./wal.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-recover-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const entry = (index: number): Entry => ({
  index,
  term: 1,
  kind: "command",
  data: Buffer.from(`entry ${index}`),
});
const open = (directory: string, files: FileLayer): Promise<Wal> =>
  openWal({
    directory,
    files,
    preallocateBytes: 4096,
    onPoisoned: (error) => {
      throw error;
    },
  });

/** The real file system, with a note of what makes things durable, in order. */
function observed(): { files: FileLayer; calls: string[] } {
  const calls: string[] = [];
  const files: FileLayer = {
    ...nodeFileLayer,
    syncDirectory: (directory) => {
      calls.push("sync directory");
      return nodeFileLayer.syncDirectory(directory);
    },
    open: async (path, mode) => {
      const file = await nodeFileLayer.open(path, mode);
      return {
        ...withoutWritevSynced(file),
        writev: (pieces, position) => {
          calls.push(`write ${Buffer.concat(pieces).byteLength} at ${position}`);
          return file.writev(pieces, position);
        },
        datasync: () => {
          calls.push("sync");
          return file.datasync();
        },
      };
    },
  };
  return { files, calls };
}

describe("R3 recovery makes durable what it answers", () => {
  it("R3 a group whose sync had failed is written again, not synced alone, and the names of files are synced", async () => {
    const directory = join(root, "again");
    const first = observed();
    const wal = await open(directory, first.files);
    await wal.append({ entries: [entry(1), entry(2)] });
    await wal.append({ entries: [entry(3)] });
    await wal.close();
    const last = first.calls.findLast((call) => call.startsWith("write"));
    const path = join(directory, readdirSync(directory)[0] ?? "");
    const before = readFileSync(path);

    const second = observed();
    const again = await open(directory, second.files);
    expect(second.calls).toEqual([last, "sync", "sync directory"]);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(again.log.lastIndex()).toBe(3);
    await again.close();
  });

  it("R3 the first group of a segment is written again with the segment's header", async () => {
    const directory = join(root, "first");
    await (await open(directory, nodeFileLayer)).close();
    const { files, calls } = observed();
    await (await open(directory, files)).close();
    expect(calls[0]).toMatch(/^write \d+ at 0$/);
    expect(calls.slice(1)).toEqual(["sync", "sync directory"]);
  });

  it("R3 does not open when the group cannot be written again", async () => {
    const directory = join(root, "refused");
    await (await open(directory, nodeFileLayer)).close();
    const files: FileLayer = {
      ...nodeFileLayer,
      open: async (path, mode) => ({
        ...(await nodeFileLayer.open(path, mode)),
        writev: () => Promise.reject(new Error("EIO: injected")),
      }),
    };
    await expect(open(directory, files)).rejects.toThrow("EIO");
    const again = await open(directory, nodeFileLayer);
    await again.close();
  });
});
