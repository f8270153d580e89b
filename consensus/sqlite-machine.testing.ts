import { DatabaseSync } from "node:sqlite";
import type { StateMachine } from "./replicated-log.ts";
import { OpenTransaction } from "./state/open-transaction.ts";

/** A state machine that keeps every command in order, and can be made to fail. */
export interface CommandMachine extends StateMachine<string> {
  /** Texts of the commands applied, in order. */
  commands(): string[];
  /** The next `apply` throws. */
  failNext(): void;
}

/**
 * Commands in a SQLite file (or memory), `lastApplied` in the same transaction, which is the real state store's. A command that is
 * applied twice violates the table's uniqueness, so it throws: exactly once is checked by the store. Answers `applied <text>`.
 */
export function openCommandMachine(path = ":memory:"): CommandMachine {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS commands (idx INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
    CREATE TABLE IF NOT EXISTS applied (one INTEGER PRIMARY KEY CHECK (one = 1), idx INTEGER NOT NULL);
    INSERT OR IGNORE INTO applied VALUES (1, 0);`);
  const insert = database.prepare("INSERT INTO commands VALUES (?, ?)");
  const advance = database.prepare("UPDATE applied SET idx = ?");
  const position = database.prepare("SELECT idx FROM applied");
  let last = Number(position.get()?.["idx"]);
  let isFailing = false;
  const transaction = new OpenTransaction(database, {
    write: () => void advance.run(last),
    index: () => Number(position.get()?.["idx"]),
  });
  const applyOne = (entry: { index: number; data: Uint8Array | null }): string | null => {
    if (entry.index !== last + 1) throw new Error(`entry ${entry.index} after ${last}`);
    last = entry.index;
    if (entry.data === null) return null;
    const text = new TextDecoder().decode(entry.data);
    insert.run(entry.index, text);
    return `applied ${text}`;
  };
  return {
    lastApplied: () => last,
    apply: (entries) => {
      if (isFailing) throw new Error("the state machine failed");
      return transaction.apply(entries, () => entries.map(applyOne));
    },
    settle: () => transaction.commit(),
    makeDurable: () => transaction.commitDurably(() => database.exec("PRAGMA wal_checkpoint(FULL)")),
    close: () => {
      if (!transaction.hasFailed()) transaction.commit();
      database.close();
    },
    commands: () =>
      database
        .prepare("SELECT text FROM commands ORDER BY idx")
        .all()
        .map((row) => String(row["text"])),
    failNext: () => {
      isFailing = true;
    },
  };
}

const utf8 = new TextEncoder();
export const commandOf = (text: string): Uint8Array => utf8.encode(text);
