import { closeSync, copyFileSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkInvariants } from "../../domain/command/check-invariants.ts";
import { StateStore } from "./state-store.ts";
import { createEntry } from "./testing-entries.ts";

/** More than a copy takes in one step, so that writes come between. */
const FILLED = 2_000;

let directory: string;
const open: StateStore[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-copy-"));
});
afterEach(() => {
  for (const store of open.splice(0)) store.close();
  rmSync(directory, { recursive: true, force: true });
});

function openStore(name: string, journal: "wal" | "truncate" = "wal"): StateStore {
  const store = new StateStore({ path: join(directory, name), clusterId: "c1", journal });
  open.push(store);
  return store;
}
function fill(store: StateStore, entries: number): void {
  const large = (i: number): string => JSON.stringify({ i, text: `${i}-`.repeat(2_000) });
  const first = store.lastApplied() + 1;
  store.apply(Array.from({ length: entries }, (_, i) => createEntry(first + i, `n${first + i}`, large(i))));
}

describe("R4 a copy of the state", () => {
  it.each(["wal", "truncate"] as const)("is whole while writes go on beside it (%s)", async (journal) => {
    const store = openStore("state.db", journal);
    fill(store, FILLED);
    const copying = { isOver: false };
    const writing = (async () => {
      while (!copying.isOver) {
        store.apply([createEntry(store.lastApplied() + 1, `m${store.lastApplied()}`)]);
        await new Promise(setImmediate);
      }
    })();
    const path = join(directory, "copy.db");
    const index = await store.copyTo(path);
    copying.isOver = true;
    await writing;
    expect(store.lastApplied()).toBeGreaterThan(FILLED);
    const copy = openStore("copy.db", "truncate");
    expect(copy.lastApplied()).toBe(index);
    expect(checkInvariants(copy)).toEqual([]);
    // The rest brings it to the same state.
    const missing = Array.from({ length: store.lastApplied() - index }, (_, i) => index + 1 + i);
    if (missing.length > 0) copy.apply(missing.map((i) => createEntry(i, `m${i - 1}`)));
    expect(copy.stateHash()).toBe(store.stateHash());
  });

  it("keeps no thread waiting when the state is replaced or closed below it", async () => {
    const other = openStore("other.db");
    other.apply([createEntry(1, "other")]);
    const incoming = join(directory, "incoming.db");
    await other.copyTo(incoming);
    const store = openStore("state.db");
    fill(store, FILLED);
    const given = store.copyTo(join(directory, "copy.db"));
    const failure = expect(given).rejects.toThrow("the state could not be copied: it is not wanted any more");
    await new Promise(setImmediate);
    store.install(incoming, 1);
    await failure;
    expect([store.lastApplied(), store.stateHash()]).toEqual([1, other.stateHash()]);
    // And the journal of the new state is its own.
    store.apply([createEntry(2, "later")]);
    store.makeDurable();
    store.close();
    expect(openStore("state.db").lastApplied()).toBe(2);
  });

  it.each(["wal", "truncate"] as const)(
    "is of all that was applied when it was begun (%s)",
    async (journal) => {
      const store = openStore("state.db", journal);
      store.apply([createEntry(1, "a")]);
      store.apply([createEntry(2, "b")]);
      expect(await store.copyTo(join(directory, "copy.db"))).toBe(2);
    },
  );

  it("in TRUNCATE mode no transaction stays open beside it, for which it would wait in vain", async () => {
    const store = openStore("state.db", "truncate");
    fill(store, FILLED);
    const copying = store.copyTo(join(directory, "copy.db"));
    store.apply([createEntry(FILLED + 1, "beside")]);
    const reader = new DatabaseSync(join(directory, "state.db"), { readOnly: true });
    const written = reader.prepare("SELECT value FROM meta WHERE key = 'last_applied'").get();
    reader.close();
    expect(written).toEqual({ value: String(FILLED + 1) });
    await copying;
    store.apply([createEntry(FILLED + 2, "after")]);
    expect(store.lastApplied()).toBe(FILLED + 2);
  });

  it("makes several at once, and SQLite carries its journal over again afterwards", async () => {
    const store = openStore("state.db");
    fill(store, 200);
    const paths = ["a.db", "b.db"];
    const indexes = await Promise.all(paths.map((name) => store.copyTo(join(directory, name))));
    expect(indexes).toEqual([200, 200]);
    for (const name of paths) expect(openStore(name, "truncate").stateHash()).toBe(store.stateHash());
  });

  it("rejects, and leaves the state as it is, when the copy cannot be written", async () => {
    const store = openStore("state.db");
    fill(store, 10);
    const taken = openSync(join(directory, "taken.db"), "w");
    writeSync(taken, "this is no database, and larger than a page of one".repeat(200));
    closeSync(taken);
    await expect(store.copyTo(join(directory, "taken.db"))).rejects.toThrow("the state could not be copied");
    await expect(store.copyTo(join(directory, "none", "copy.db"))).rejects.toThrow("could not be copied");
    fill(store, 1);
    expect(store.lastApplied()).toBe(11);
  });
});

describe("R3 makeDurable", () => {
  it("leaves all that was applied in the state's file and journal, also while a copy is made", async () => {
    const store = openStore("state.db");
    fill(store, 500);
    const copying = store.copyTo(join(directory, "copy.db"));
    store.apply([createEntry(501, "last")]);
    store.makeDurable();
    for (const suffix of ["", "-wal"])
      copyFileSync(join(directory, `state.db${suffix}`), join(directory, `cut.db${suffix}`));
    expect(openStore("cut.db").lastApplied()).toBe(501);
    await copying;
  });
});
