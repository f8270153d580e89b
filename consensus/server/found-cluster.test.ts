import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Founded, Founding } from "./found-cluster.ts";
import { readFoundingRecord } from "./founding-record.ts";

/** Peers joined by memory; what is sent to one that is not there is lost. */
class Wire {
  readonly #receivers = new Map<number, (from: number, payload: Buffer) => void>();
  /** Names of messages that are lost from now on. */
  readonly lost = new Set<string>();

  channel(own: number) {
    return {
      sendFounding: (to: number, payload: Uint8Array) => {
        const { type } = JSON.parse(Buffer.from(payload).toString()) as { type: string };
        if (!this.lost.has(type)) setImmediate(() => this.#receivers.get(to)?.(own, Buffer.from(payload)));
      },
      onFounding: (receive: ((from: number, payload: Buffer) => void) | null) => {
        if (receive === null) this.#receivers.delete(own);
        else this.#receivers.set(own, receive);
      },
      connected: () => [...this.#receivers.keys()].filter((id) => id !== own),
    };
  }
}

let root: string;
let wire: Wire;
const running = new Map<number, Founding>();
/** Who was removed from the cluster, as every node knows. */
const removed = new Set<number>();
beforeEach(() => {
  removed.clear();
  root = mkdtempSync(join(tmpdir(), "conflux-founding-"));
  wire = new Wire();
});
afterEach(() => {
  for (const founding of running.values()) founding.close();
  running.clear();
  rmSync(root, { recursive: true });
});
const directoryOf = (id: number): string => join(root, String(id));
function boot(id: number, expected = [3, 1, 2]): Promise<Founded> {
  running.get(id)?.close();
  mkdirSync(directoryOf(id), { recursive: true });
  const founding = new Founding({
    nodeId: id,
    expected,
    directory: directoryOf(id),
    channel: wire.channel(id),
    isRemoved: (other) => removed.has(other),
    logger: () => undefined,
  });
  running.set(id, founding);
  return founding.begin();
}
const crash = (id: number): void => {
  running.get(id)?.close();
  running.delete(id);
};
const wipe = (id: number): void => {
  crash(id);
  rmSync(directoryOf(id), { recursive: true });
};
const bootAll = (): Promise<Founded[]> => Promise.all([1, 2, 3].map((id) => boot(id)));
async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 5));
}
const fresh = { members: [1, 2, 3], fenced: false, hasLog: false };

describe("R7 first boot", () => {
  it("begins when all expected nodes have asked, in any order, with one membership", async () => {
    const three = boot(3);
    const one = boot(1);
    await until(() => running.size === 2);
    expect(readFoundingRecord(directoryOf(1))).toBeNull();
    expect(await Promise.all([one, boot(2), three])).toEqual([fresh, fresh, fresh]);
    for (const id of [1, 2, 3]) running.get(id)?.noteLog();
    expect(await bootAll()).toEqual([1, 2, 3].map(() => ({ ...fresh, hasLog: true })));
  });

  it("of one node that expects nobody else waits for nobody", async () => {
    expect(await boot(2, [2])).toEqual({ members: [2], fenced: false, hasLog: false });
    running.get(2)?.noteLog();
    expect(await boot(2, [2])).toEqual({ members: [2], fenced: false, hasLog: true });
    // Who comes later is none of its founders.
    const late = boot(1);
    await until(() => running.has(1));
    expect(readFoundingRecord(directoryOf(2))).toMatchObject({ members: [2] });
    expect(await Promise.race([late, Promise.resolve("waits")])).toBe("waits");
  });

  it.each(["invite", "accepted", "confirmed"])(
    "goes on after %s was lost and a node crashed",
    async (type) => {
      wire.lost.add(type);
      void boot(2);
      void boot(3);
      await boot(1);
      crash(1);
      crash(2);
      wire.lost.clear();
      const two = boot(2);
      expect(await boot(1)).toEqual(fresh);
      expect(await two).toEqual(fresh);
      await until(() => readFoundingRecord(directoryOf(1))?.confirmed.length === 2);
    },
  );

  it("a damaged record is named, not taken for an empty disk", () => {
    mkdirSync(directoryOf(1), { recursive: true });
    writeFileSync(join(directoryOf(1), "founding.json"), '{"format":1,"state":"maybe"}');
    expect(() => boot(1)).toThrow("founding.json is damaged");
  });
});

describe("R5 an empty disk under a known id", () => {
  it.each([1, 2, 3])("node %i is fenced, also when it starts again", async (id) => {
    await bootAll();
    for (const founding of running.values()) founding.noteLog();
    wipe(id);
    expect(await boot(id)).toEqual({ ...fresh, fenced: true });
    expect(await boot(id)).toEqual({ ...fresh, fenced: true });
  });

  it("any founding member fences it once the founder was removed, and none before", async () => {
    await bootAll();
    for (const founding of running.values()) founding.noteLog();
    crash(1);
    wipe(3);
    const three = boot(3);
    let isDone = false;
    void three.then(() => (isDone = true));
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(isDone).toBe(false);
    removed.add(1);
    expect(await three).toEqual({ ...fresh, fenced: true });
  });

  it("one that was never told to begin cannot have voted, and is let in", async () => {
    wire.lost.add("accepted");
    void boot(2);
    const three = boot(3);
    await boot(1);
    await until(() => readFoundingRecord(directoryOf(2)) !== null);
    wipe(2);
    wire.lost.clear();
    expect(await boot(2)).toEqual(fresh);
    expect(await three).toEqual(fresh);
  });
});
