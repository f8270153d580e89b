import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OpenTransaction, TRANSACTION_BATCHES_MAX, TRANSACTION_BYTES_MAX } from "./open-transaction.ts";

let directory: string;
let db: DatabaseSync;
let other: DatabaseSync;
let commits: number;
let position: number;
let transaction: OpenTransaction;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-transaction-"));
  const path = join(directory, "state.db");
  db = new DatabaseSync(path);
  db.exec(
    "PRAGMA journal_mode = WAL; CREATE TABLE rows (n INTEGER PRIMARY KEY, at INTEGER NOT NULL CHECK (at < 1000))",
  );
  other = new DatabaseSync(path);
  commits = 0;
  position = 0;
  transaction = new OpenTransaction(db, {
    beforeCommit: () => db.prepare("INSERT OR REPLACE INTO rows VALUES (0, ?)").run(position),
    afterCommit: () => {
      commits += 1;
    },
  });
});
afterEach(() => {
  db.close();
  other.close();
  rmSync(directory, { recursive: true, force: true });
});

const seen = (by: DatabaseSync): unknown[] =>
  by
    .prepare("SELECT n FROM rows WHERE n > 0 ORDER BY n")
    .all()
    .map(({ n }) => n);
function batch(bytes = 1): void {
  transaction.begin();
  position += 1;
  db.prepare("INSERT INTO rows VALUES (?, 0)").run(position);
  transaction.end([{ data: new Uint8Array(bytes) }, { data: null }]);
}

describe("R3 one transaction for many batches", () => {
  it("R3 shows others nothing before its commit, and then all of it with the position", () => {
    batch();
    batch();
    expect([seen(db), seen(other), commits]).toEqual([[1, 2], [], 0]);
    transaction.commit();
    expect([seen(other), commits]).toEqual([[1, 2], 1]);
    expect(other.prepare("SELECT at FROM rows WHERE n = 0").get()).toEqual({ at: 2 });
    transaction.commit();
    expect(commits).toBe(1);
  });

  it("R3 ends by itself after so many batches, or bytes of entries", () => {
    for (let i = 1; i < TRANSACTION_BATCHES_MAX; i += 1) batch();
    expect(commits).toBe(0);
    batch();
    expect([commits, seen(other).length]).toEqual([1, TRANSACTION_BATCHES_MAX]);
    batch(TRANSACTION_BYTES_MAX - 1);
    expect(commits).toBe(1);
    batch();
    expect(commits).toBe(2);
    // And counts anew.
    for (let i = 1; i < TRANSACTION_BATCHES_MAX; i += 1) batch();
    expect(commits).toBe(2);
  });

  it("R3 rolls back to the last commit, also when the commit itself failed, and goes on from there", () => {
    batch();
    transaction.commit();
    batch();
    transaction.rollBack();
    expect([seen(db), commits]).toEqual([[1], 1]);
    batch();
    position = 1000;
    expect(() => transaction.commit()).toThrow("CHECK constraint failed");
    transaction.rollBack();
    expect([seen(db), seen(other), commits]).toEqual([[1], [1], 1]);
    position = 5;
    batch();
    transaction.commit();
    expect([seen(other), commits]).toEqual([[1, 6], 2]);
  });
});
