import { afterEach, describe, expect, it } from "vitest";
import { checkInvariants } from "../../domain/command/check-invariants.ts";
import { readFeed } from "../../domain/command/read-feed.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { testCommand, testRule } from "../../domain/command/testing-commands.ts";
import { type AnyStateStore, createMemoryStateStore } from "./memory-state-store.testing.ts";
import { createEntry, entryOf } from "./testing-entries.ts";
import {
  backupOf,
  beginEntry,
  chunkEntry,
  dumpOf,
  epochOf,
  restoreEntries,
  restoreEntry,
  rowsOf,
  type TestingBackup,
} from "./testing-restore.ts";

export interface StateStoreMaker {
  /** An empty store of cluster `c1`. */
  create(options: { feedRetainedEntriesMax: number }): AnyStateStore;
  /** What the next process finds; the one before is closed. */
  reopen(store: AnyStateStore): AnyStateStore;
  cleanUp(): void;
}

const feedOf = (store: AnyStateStore, after: number) =>
  readFeed(store.feed(), { after, limit: 1000, view: "full", charsMax: 1e9, inline: null });

/** What every state store does, wherever it keeps its rows; each one's test runs it. */
export function describeStateStore(name: string, makeMaker: () => StateStoreMaker): void {
  describe(`R3 state store: ${name}`, () => {
    let maker: StateStoreMaker | null = null;
    let open: AnyStateStore[] = [];
    afterEach(() => {
      for (const store of open) store.close();
      open = [];
      maker?.cleanUp();
      maker = null;
    });
    const create = (feedRetainedEntriesMax = 1000): AnyStateStore => {
      maker ??= makeMaker();
      const store = maker.create({ feedRetainedEntriesMax });
      open.push(store);
      return store;
    };
    const reopen: Reopen = (store) => {
      const again = maker!.reopen(store);
      open = open.filter((one) => one !== store).concat(again);
      return again;
    };
    describeApplying(create, reopen);
    describeMonotony(create);
    describeReading(create);
    describeRestoring(create);
    describeRestoreEnds(create, reopen);
  });
}

type Reopen = (store: AnyStateStore) => AnyStateStore;

/** Settles the store, has it fail, and answers it as the next process finds it, which must be as it was. */
function failAndReopen(store: AnyStateStore, fail: () => void, reopen: Reopen): AnyStateStore {
  store.settle?.();
  const before = dumpOf(store);
  fail();
  const again = reopen(store);
  expect(dumpOf(again)).toBe(before);
  return again;
}

function describeApplying(create: (feedRetainedEntriesMax?: number) => AnyStateStore, reopen: Reopen): void {
  it("R3 begins at index 0 with nothing", () => {
    const store = create();
    expect([store.lastApplied(), store.lastFeedIndex(), store.lastTimestampMs()]).toEqual([0, 0, 0]);
    expect([...store.scan("", { limit: 9 })]).toEqual([]);
    expect(feedOf(store, 0)).toMatchObject({ ok: true, entries: [] });
  });

  it("R3 applies a batch in one step: later commands see earlier ones, and answers come in order", () => {
    const store = create();
    const rules = testCommand("put_releases", { config_id: "cfg-c1-2", releases: [testRule(1)] });
    const outcomes = store.apply([
      { index: 1, data: null },
      createEntry(2, "a"),
      entryOf(3, rules),
      createEntry(4, "a"),
    ]);
    expect(outcomes).toMatchObject([
      null,
      { ok: true, index: 2 },
      { ok: true, index: 3 },
      { code: "already_exists" },
    ]);
    expect([store.lastApplied(), store.lastFeedIndex()]).toEqual([4, 3]);
    expect(checkInvariants(store)).toEqual([]);
  });

  it("R3 a batch that fails in its middle leaves nothing, and the next process goes on from where it was", () => {
    let store = create();
    store.apply([createEntry(1, "a")]);
    const unknown = { index: 3, data: new Uint8Array([9, 9]) };
    const failures: [{ index: number; data: Uint8Array }[], string][] = [
      [[createEntry(2, "b"), unknown], "unknown log entry format 9"],
      [[createEntry(3, "b")], "gap"],
      [[createEntry(2, "b"), createEntry(4, "c")], "gap"],
    ];
    for (const [entries, message] of failures) {
      const failing = store;
      store = failAndReopen(failing, () => expect(() => failing.apply(entries)).toThrow(message), reopen);
    }
    expect(store.apply([createEntry(2, "b")])).toMatchObject([{ ok: true }]);
  });

  it("R3 comes to the same state however the log is cut into batches", () => {
    const entries = Array.from({ length: 40 }, (_, i) =>
      i % 7 === 6
        ? entryOf(i + 1, testCommand("delete_config", { config_id: `cfg-c1-${i - 2}` }))
        : createEntry(i + 1, `n${i % 12}`, `{"n":${i % 5}}`),
    );
    const dumps = [1, 7, 40].map((size) => {
      const store = create(10);
      for (let i = 0; i < entries.length; i += size) store.apply(entries.slice(i, i + size));
      expect(checkInvariants(store)).toEqual([]);
      return dumpOf(store);
    });
    // And to the same as the store in memory, byte for byte.
    const memory = createMemoryStateStore({ clusterId: "c1", feedRetainedEntriesMax: 10 });
    memory.apply(entries);
    expect(new Set([...dumps, dumpOf(memory)]).size).toBe(1);
  });
}

/** What no command may undo. */
function describeMonotony(create: () => AnyStateStore): void {
  it("R9 time in the state never goes back", () => {
    const store = create();
    store.apply([createEntry(1, "a")]);
    const early = createEntry(2, "b");
    early.data.set(new Uint8Array(8), 1);
    expect(store.apply([early])).toMatchObject([{ timestamp_ms: 1001 }]);
    expect(store.lastTimestampMs()).toBe(1001);
  });

  it("R10 a command under the same key is answered its first result and changes nothing", () => {
    const store = create();
    const idempotency = { scope: "s".repeat(64), digest: "d".repeat(64) };
    const revoke = testCommand("revoke_token", { jti: "j", expires_at_ms: 9_000_000 }, { idempotency });
    const [first] = store.apply([entryOf(1, revoke)]);
    const [second] = store.apply([entryOf(2, revoke)]);
    expect(second).toEqual({ ...first, replayed: true });
    expect(store.lastFeedIndex()).toBe(1);
  });
}

function describeReading(create: (feedRetainedEntriesMax?: number) => AnyStateStore): void {
  it("R6 scans a prefix in key order, after a key, up to a limit, and gives each reader its own copy", () => {
    const store = create();
    store.apply(Array.from({ length: 30 }, (_, i) => createEntry(i + 1, `n${i}`)));
    const keys = (options: { after?: string; limit: number }): string[] =>
      [...store.scan("c/", options)].map(({ key }) => key);
    const all = keys({ limit: 99 });
    expect(all).toEqual(Array.from({ length: 30 }, (_, i) => `c/cfg-c1-${i + 1}`).toSorted());
    expect(keys({ limit: 5 })).toEqual(all.slice(0, 5));
    expect(keys({ limit: 3, after: all[3]! })).toEqual(all.slice(4, 7));
    expect(keys({ limit: 2, after: "a" })).toEqual(all.slice(0, 2));
    expect(keys({ limit: 9, after: "c/~" })).toEqual([]);
    const everything = [...store.scan("", { limit: 1000 })].map(({ key }) => key);
    expect(everything).toEqual(everything.toSorted());
    expect(everything.filter((key) => key.startsWith("c/"))).toEqual(all);
    const taken = store.json("c/cfg-c1-1") as { name: string };
    taken.name = "changed";
    expect(store.json("c/cfg-c1-1")).toMatchObject({ name: "n0" });
  });

  it("R6 tells rows from bytes, and what is missing from what is empty", () => {
    const store = create();
    store.apply([createEntry(1, "a", "")]);
    const [row] = [...store.scan("r/demo/", { limit: 1 })];
    const key = stateKey.blob("demo", row!.key.slice("r/demo/".length));
    expect([store.hasKey(key), store.bytes(key)?.byteLength, store.json(key)]).toEqual([true, 0, undefined]);
    expect([store.hasKey("c/none"), store.json("c/none"), store.bytes("b/none")]).toEqual([
      false,
      undefined,
      undefined,
    ]);
  });

  it("R12 links the feed's entries, and lets the oldest go past the retention", () => {
    const store = create(3);
    for (let i = 1; i <= 5; i += 1) {
      store.apply([createEntry(2 * i - 1, `n${i}`), { index: 2 * i, data: null }]);
    }
    expect(feedOf(store, 0)).toMatchObject({ ok: false, code: "feed_compacted" });
    expect(feedOf(store, 3)).toMatchObject({
      ok: true,
      entries: [
        { index: 5, prev_index: 3 },
        { index: 7, prev_index: 5 },
        { index: 9, prev_index: 7 },
      ],
    });
    expect(feedOf(store, 10)).toMatchObject({ ok: true, entries: [] });
    expect(feedOf(store, 11)).toMatchObject({ ok: false, code: "feed_ahead" });
  });
}

/** Three configs, then a backup in chunks of four rows, then one config more and one less. */
function prepareRestore(store: AnyStateStore): {
  store: AnyStateStore;
  backup: TestingBackup;
  rows: Uint8Array[];
} {
  store.apply([createEntry(1, "a"), createEntry(2, "b", "{1}"), createEntry(3, "c", "{2}")]);
  const backup = backupOf(store, 4);
  const rows = rowsOf(store);
  const gone = testCommand("delete_config", { config_id: "cfg-c1-1" });
  const node = { node_id: 4, raft_address: "h:7504", url: "http://h:7404", disk_id: "d" };
  store.apply([createEntry(4, "d", "{3}"), entryOf(5, gone), entryOf(6, testCommand("register_node", node))]);
  return { store, backup, rows };
}
const configs = (store: AnyStateStore): string[] =>
  [...store.scan("n/", { limit: 99 })].map(({ key }) => key.split("/").at(-1) ?? "");

function describeRestoring(create: (feedRetainedEntriesMax?: number) => AnyStateStore): void {
  const prepared = () => prepareRestore(create());
  it("R13 takes a backup's rows over whole, all but those about its nodes, with the commit and not before", () => {
    const { store, backup, rows } = prepared();
    expect(backup.chunks.length).toBeGreaterThan(2);
    const entries = restoreEntries(7, "r", backup);
    const commit = entries.pop()!;
    store.apply(entries);
    expect([configs(store), epochOf(store)]).toEqual([["b", "c", "d"], 1]);
    expect(store.apply([commit])).toMatchObject([{ ok: true, result: { restored: { epoch: 2 } } }]);
    expect([configs(store), epochOf(store)]).toEqual([["a", "b", "c"], 2]);
    expect(rowsOf(store)).toEqual(rows);
    expect(store.hasKey(stateKey.node(4))).toBe(true);
    expect(store.hasKey(stateKey.pendingRestore)).toBe(false);
    expect(checkInvariants(store)).toEqual([]);
    const feed = feedOf(store, 0);
    expect(feed.ok && feed.entries.map(({ prev_index, kind }) => [prev_index, kind]).at(-1)).toEqual([
      6,
      "commit_restore",
    ]);
    expect(store.apply([createEntry(commit.index + 1, "d")])).toMatchObject([{ ok: true }]);
  });

  it("R13 answers each repeated step like the first, and refuses what is out of turn or another's", () => {
    const { store, backup } = prepared();
    const last = backup.chunks.length - 1;
    const steps = (index: number) => [
      chunkEntry(index, "r", backup, 0),
      restoreEntry(index + 1, "commit_restore", { restore_id: "r" }),
    ];
    const refused = { ok: false, code: "precondition_failed" };
    expect(store.apply(steps(7))).toMatchObject([refused, refused]);
    store.apply([beginEntry(9, "r", backup), chunkEntry(10, "r", backup, 0)]);
    expect(store.apply(steps(11))).toMatchObject([{ ok: true, result: { staged: 1 } }, refused]);
    expect(
      store.apply([
        chunkEntry(13, "r", backup, last),
        chunkEntry(14, "other", backup, 1),
        chunkEntry(15, "r", { ...backup, chunks: backup.chunks.toReversed() }, 1),
        restoreEntry(16, "abort_restore", { restore_id: "other" }),
      ]),
    ).toMatchObject([refused, refused, { code: "validation_failed" }, { ok: true }]);
    const before = rowsOf(store);
    store.apply(backup.chunks.slice(1).map((_, i) => chunkEntry(17 + i, "r", backup, i + 1)));
    expect(rowsOf(store)).toEqual(before);
    const at = store.lastApplied() + 1;
    const commits = [0, 1].map((i) => restoreEntry(at + i, "commit_restore", { restore_id: "r" }));
    const [first, again] = store.apply(commits) as { ok: true; result: unknown }[];
    expect(again?.result).toEqual(first?.result);
    expect(store.apply([beginEntry(at + 2, "r", backup)])).toMatchObject([{ code: "already_exists" }]);
    expect([configs(store), epochOf(store)]).toEqual([["a", "b", "c"], 2]);
  });
}

function describeRestoreEnds(
  create: (feedRetainedEntriesMax?: number) => AnyStateStore,
  reopen: Reopen,
): void {
  const prepared = () => prepareRestore(create());
  it("R13 drops what was staged when a restore is aborted or another one begins, and a failed batch keeps it", () => {
    const { store: failing, backup, rows } = prepared();
    const own = rowsOf(failing);
    failing.apply([beginEntry(7, "r1", backup), chunkEntry(8, "r1", backup, 0)]);
    const broken = [
      restoreEntry(9, "abort_restore", { restore_id: "r1" }),
      { index: 10, data: new Uint8Array([9, 9]) },
    ];
    const store = failAndReopen(failing, () => expect(() => failing.apply(broken)).toThrow("format"), reopen);
    store.apply([restoreEntry(9, "abort_restore", { restore_id: "r1" })]);
    expect(store.hasKey(stateKey.pendingRestore)).toBe(false);
    expect(rowsOf(store)).toEqual(own);
    // A smaller backup: of the other's chunks nothing may be left in it.
    const small = { ...backup, chunks: backup.chunks.slice(1) };
    store.apply([beginEntry(10, "r2", backup), chunkEntry(11, "r2", backup, 0)]);
    store.apply(restoreEntries(12, "r3", small));
    expect(Buffer.concat(rowsOf(store)).equals(Buffer.concat(small.chunks.map(({ bytes }) => bytes)))).toBe(
      true,
    );
    store.apply(restoreEntries(store.lastApplied() + 1, "r4", backup));
    expect(rowsOf(store)).toEqual(rows);
  });

  it("R13 comes to the same state as the store in memory, however a restore is cut into batches", () => {
    const restoredTwice = (store: AnyStateStore, size: number): string => {
      const { backup } = prepareRestore(store);
      const entries = restoreEntries(7, "r", backup);
      const next = entries.length + 7;
      entries.push(createEntry(next, "e"), ...restoreEntries(next + 1, "s", backup));
      for (let i = 0; i < entries.length; i += size) store.apply(entries.slice(i, i + size));
      return dumpOf(store);
    };
    const dumps = [1, 3, 100].map((size) => restoredTwice(create(), size));
    const memory = createMemoryStateStore({ clusterId: "c1", feedRetainedEntriesMax: 1000 });
    dumps.push(restoredTwice(memory, 100));
    expect(new Set(dumps).size).toBe(1);
    expect(epochOf(memory)).toBe(3);
  });
}
