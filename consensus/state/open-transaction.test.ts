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
  transaction = openTransaction();
});
afterEach(() => {
  db.close();
  other.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Row 0 holds the position. */
function openTransaction(): OpenTransaction {
  return new OpenTransaction(db, {
    write: () => {
      commits += 1;
      db.prepare("INSERT OR REPLACE INTO rows VALUES (0, ?)").run(position);
    },
    index: () => Number(db.prepare("SELECT at FROM rows WHERE n = 0").get()?.["at"] ?? 0),
  });
}

const seen = (by: DatabaseSync): unknown[] =>
  by
    .prepare("SELECT n FROM rows WHERE n > 0 ORDER BY n")
    .all()
    .map(({ n }) => n);
function batch(bytes = 1): void {
  transaction.apply([{ data: new Uint8Array(bytes) }, { data: null }], () => {
    position += 1;
    db.prepare("INSERT INTO rows VALUES (?, 0)").run(position);
  });
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

  it("R3 a change, a commit or a sync that fails is told from then on, whatever is asked, and leaves the last commit", () => {
    const failures: [string, () => void][] = [
      [
        "UNIQUE constraint failed",
        () => transaction.apply([], () => db.exec("INSERT INTO rows VALUES (1, 0)")),
      ],
      ["CHECK constraint failed", () => ((position = 1000), transaction.commit())],
      [
        "the disk failed",
        () =>
          transaction.commitDurably(() => {
            throw new Error("the disk failed");
          }),
      ],
    ];
    for (const [message, fail] of failures) {
      db.exec("DELETE FROM rows");
      position = 0;
      transaction = openTransaction();
      batch();
      transaction.commit();
      batch();
      expect(fail).toThrow(message);
      expect(transaction.hasFailed()).toBe(true);
      const asked = [
        () => transaction.check(),
        () => batch(),
        () => transaction.commit(),
        () => transaction.commitDurably(() => undefined),
      ];
      for (const ask of asked) expect(ask).toThrow(message);
      // Of a sync that failed all is committed, and may be gone after a power cut.
      expect(seen(other)).toEqual(message === "the disk failed" ? [1, 2] : [1]);
      expect(db.isTransaction).toBe(false);
    }
  });

  it.each(["check", "commit", "apply"] as const)(
    "R3 what SQLite rolled back by itself is never taken for committed (%s)",
    (asked) => {
      batch();
      transaction.commit();
      batch();
      // As it does when a page cannot be read in the middle of a SELECT.
      db.exec("ROLLBACK");
      const ask = {
        check: () => transaction.check(),
        commit: () => transaction.commit(),
        apply: () => batch(),
      };
      expect(ask[asked]).toThrow("SQLite has rolled back what was applied and not committed");
      expect(() => batch()).toThrow("SQLite has rolled back");
      expect(() => transaction.commitDurably(() => undefined)).toThrow("SQLite has rolled back");
      expect(seen(other)).toEqual([1]);
    },
  );

  it("R3 does not begin on a file that somebody else has written since", () => {
    batch();
    transaction.commit();
    other.exec("UPDATE rows SET at = 2 WHERE n = 0");
    expect(() => batch()).toThrow("another process has written it, it is at 2, not at 1");
    expect(seen(other)).toEqual([1]);
  });

  it("R3 a change that hides that the transaction was lost is not taken", () => {
    batch();
    const hide = (): void =>
      transaction.apply([], () => {
        db.exec("ROLLBACK");
      });
    expect(hide).toThrow("SQLite has rolled back");
    expect(seen(other)).toEqual([]);
  });

  it("R3 what is dropped on purpose is no failure", () => {
    batch();
    transaction.rollBack();
    position = 0;
    batch();
    transaction.commit();
    expect([seen(other), transaction.hasFailed()]).toEqual([[1], false]);
  });
});
