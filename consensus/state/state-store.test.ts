import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkInvariants } from "../../domain/command/check-invariants.ts";
import { scanAll } from "../../domain/command/scan-all.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";
import { TRANSACTION_BATCHES_MAX } from "./open-transaction.ts";
import { StateFormatError } from "./state-schema.ts";
import { StateStore, type StateStoreOptions } from "./state-store.ts";
import { createEntry, entryOf } from "./testing-entries.ts";

let directory: string;
const open: StateStore[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-state-"));
});
afterEach(() => {
  for (const store of open.splice(0)) store.close();
  rmSync(directory, { recursive: true, force: true });
});
function openStore(more: Partial<StateStoreOptions> = {}): StateStore {
  const store = new StateStore({
    path: join(directory, "state.db"),
    clusterId: "c1",
    journal: "wal",
    ...more,
  });
  open.push(store);
  return store;
}
describe("R3 the state store", () => {
  it("keeps everything over a reopen, in either journal mode", () => {
    const path = join(directory, "truncate.db");
    const store = openStore({ path, journal: "truncate" });
    store.makeDurable();
    store.apply([createEntry(1, "a"), createEntry(2, "b")]);
    store.makeDurable();
    const hash = store.stateHash();
    store.close();
    const again = openStore({ path, journal: "truncate" });
    expect(again.lastApplied()).toBe(2);
    expect(again.lastTimestampMs()).toBe(1002);
    expect(again.stateHash()).toBe(hash);
  });

  it("R4 R13 a copy succeeds whenever it is begun, in the middle of writes too, and is the state at its index", async () => {
    const store = openStore();
    const hashes = new Map([[0, store.stateHash()]]);
    for (let round = 0; round < 40; round += 1) {
      const path = join(directory, `copy-${round}.db`);
      const state = { isDone: false };
      const copying = store.copyTo(path).finally(() => {
        state.isDone = true;
      });
      do {
        const at = store.lastApplied() + 1;
        store.apply(Array.from({ length: 10 }, (_, i) => createEntry(at + i, `n${at + i}`)));
        hashes.set(store.lastApplied(), store.stateHash());
        await new Promise((resolve) => setImmediate(resolve));
      } while (!state.isDone);
      const index = await copying;
      const copy = openStore({ path });
      expect([copy.lastApplied(), copy.stateHash()]).toEqual([index, hashes.get(index)]);
      copy.close();
    }
  });

  it.each(["wal", "truncate"] as const)(
    "R3 a failed batch takes those with it that were not committed; all it is asked says so (%s)",
    async (journal) => {
      const store = openStore({ journal });
      store.apply([createEntry(1, "a")]);
      store.settle();
      const hash = store.stateHash();
      store.apply([createEntry(2, "b")]);
      const unknown = { index: 3, data: new Uint8Array([9, 9]) };
      const failure = "unknown log entry format 9";
      expect(() => store.apply([unknown])).toThrow(failure);
      const asked: (() => unknown)[] = [
        () => store.apply([createEntry(3, "c")]),
        () => store.settle(),
        () => store.makeDurable(),
        () => store.json("c/cfg-c1-1"),
        () => store.bytes("b/none"),
        () => store.hasKey("c/cfg-c1-1"),
        () => store.scan("c/", { limit: 1 }),
        () => [...store.configCounts()],
        () => store.feed(),
        () => store.stateHash(),
        () => [...store.rows()],
      ];
      for (const ask of asked) expect(ask).toThrow(failure);
      await expect(store.copyTo(join(directory, "copy.db"))).rejects.toThrow(failure);
      store.close();
      const again = openStore({ journal });
      expect([again.lastApplied(), again.stateHash()]).toEqual([1, hash]);
      again.apply([createEntry(2, "b"), createEntry(3, "c")]);
      expect([again.lastApplied(), checkInvariants(again)]).toEqual([3, []]);
    },
  );

  it.each(["wal", "truncate"] as const)(
    "R3 opened while the process before still had something to commit, it applies nothing twice (%s)",
    (journal) => {
      const before = openStore({ journal });
      before.apply([createEntry(1, "a")]);
      before.settle();
      before.apply([createEntry(2, "b")]);
      const early = openStore({ journal });
      expect(early.lastApplied()).toBe(1);
      before.close();
      expect(() => early.apply([createEntry(2, "b")])).toThrow("another process has written it");
      expect(() => early.json("c/cfg-c1-1")).toThrow("another process has written it");
      early.close();
      const again = openStore({ journal });
      again.apply([createEntry(3, "c")]);
      expect([again.lastApplied(), again.lastFeedIndex(), checkInvariants(again)]).toEqual([3, 3, []]);
    },
  );

  it("R4 a snapshot takes the place of a state that could not be written, and the position is its own", async () => {
    const other = openStore({ path: join(directory, "other.db") });
    other.apply([1, 2, 3, 4, 5].map((i) => createEntry(i, `o${i}`)));
    expect(await other.copyTo(join(directory, "incoming.db"))).toBe(5);
    const store = openStore();
    const intruder = new DatabaseSync(join(directory, "state.db"));
    intruder.exec(
      `CREATE TRIGGER broken BEFORE UPDATE ON meta BEGIN SELECT RAISE(FAIL, 'the disk failed'); END`,
    );
    intruder.close();
    store.apply([createEntry(1, "a")]);
    store.install(join(directory, "incoming.db"), 5);
    expect([store.lastApplied(), store.stateHash()]).toEqual([5, other.stateHash()]);
    store.apply([createEntry(6, "o6")]);
    store.close();
    expect(openStore().lastApplied()).toBe(6);
  });

  it("comes to the same state however the log is cut into batches", () => {
    const entries = Array.from({ length: 40 }, (_, i) =>
      i % 7 === 6
        ? entryOf(i + 1, testCommand("delete_config", { config_id: `cfg-c1-${i - 2}` }))
        : createEntry(i + 1, `n${i % 12}`, `{"n":${i % 5}}`),
    );
    const hashes = [1, 7, 40].map((size) => {
      const store = openStore({ path: join(directory, `${size}.db`), feedRetainedEntriesMax: 10 });
      for (let i = 0; i < entries.length; i += size) store.apply(entries.slice(i, i + size));
      expect(checkInvariants(store)).toEqual([]);
      return store.stateHash();
    });
    expect(new Set(hashes).size).toBe(1);
  });
});

describe("M1 configs by namespace", () => {
  it("M1 are counted apart, also where one name begins like another", () => {
    const store = openStore();
    expect([...store.configCounts()]).toEqual([]);
    const spaces = ["prod", "prod-2", "prod-20", "prod.x", "p", "prod~"];
    const wanted = spaces.map((env, i) => ({
      namespace: { tenant: "demo", app: "shop", env },
      count: i + 1,
    }));
    const names = wanted.flatMap(({ namespace, count }) =>
      Array.from({ length: count }, (_, n) => ({ namespace, name: `n${n}` })),
    );
    const bytes = new TextEncoder().encode("{}");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    store.apply(
      names.map(({ namespace, name }, i) =>
        entryOf(i + 1, testCommand("create_config", testConfigPayload(name, sha256, { namespace })), [bytes]),
      ),
    );
    const counts = [...store.configCounts()];
    expect(counts).toHaveLength(wanted.length);
    expect(counts).toEqual(expect.arrayContaining(wanted));
  });
});

describe("files that are not ours", () => {
  it("refuses a format it does not know, and another cluster's state", () => {
    openStore().close();
    expect(() => openStore({ clusterId: "c2" })).toThrow(StateFormatError);
    const db = new DatabaseSync(join(directory, "state.db"));
    db.exec("UPDATE meta SET value = '99' WHERE key = 'format'");
    db.close();
    expect(() => openStore()).toThrow("the state has format 99, this build knows 1 and 2");
  });
});

describe("R3 kill -9 while batches are applied", () => {
  it.each(["wal", "truncate"] as const)(
    "leaves whole batches and a matching lastApplied, and all that was settled (%s)",
    async (journal) => {
      const path = join(directory, "crash.db");
      let acknowledged = 0;
      let settled = 0;
      for (let round = 0; round < 3; round += 1) {
        const child = spawn(
          process.execPath,
          [new URL("testing-crash-child.ts", import.meta.url).pathname, path, journal],
          {
            stdio: ["ignore", "pipe", "inherit"],
          },
        );
        const exited = once(child, "exit");
        const target = acknowledged + 3 * (10 + round);
        child.stdout.setEncoding("utf8").on("data", (text: string) => {
          const said = text.trim().split("\n");
          acknowledged = Math.max(acknowledged, ...said.map((line) => Number(line.split(" ")[0])));
          settled = Math.max(settled, ...said.map((line) => Number(line.split(" ")[1] ?? 0)));
          if (acknowledged >= target) child.kill("SIGKILL");
        });
        await exited;
        const store = openStore({ path, journal });
        const applied = store.lastApplied();
        expect(settled).toBeGreaterThan(0);
        expect(applied).toBeGreaterThanOrEqual(settled);
        // What is behind it the log has still; the next process applies it again.
        expect(applied).toBeGreaterThan(acknowledged - 3 * TRANSACTION_BATCHES_MAX);
        expect(applied % 3).toBe(0);
        expect([...scanAll(store, "c/")]).toHaveLength(applied);
        expect(store.hasKey(stateKey.config(`cfg-c1-${applied}`))).toBe(true);
        expect(checkInvariants(store)).toEqual([]);
        store.close();
      }
    },
  );
});
