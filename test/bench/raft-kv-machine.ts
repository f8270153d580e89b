import { DatabaseSync } from "node:sqlite";
import { OpenTransaction } from "../../consensus/state/open-transaction.ts";
import type { StateMachine } from "../../consensus/replicated-log.ts";

const KEY_LENGTH_BYTES = 2;
/** What a put answers: the index it was applied at. */
export interface PutOutcome {
  index: number;
}

/** A put as a command: the key's length, the key, the value. */
export function encodePut(key: string, value: Uint8Array): Uint8Array {
  const keyBytes = Buffer.byteLength(key);
  const command = Buffer.allocUnsafe(KEY_LENGTH_BYTES + keyBytes + value.byteLength);
  command.writeUInt16BE(keyBytes, 0);
  command.write(key, KEY_LENGTH_BYTES);
  command.set(value, KEY_LENGTH_BYTES + keyBytes);
  return command;
}

/**
 * What etcd is compared with: opaque values by key in an ordered SQLite store, each with the revision it was put at,
 * `last_applied` in the same transaction. That one, the journal mode and the durability are the real state store's. Without the
 * revision a value put again would change no page, and SQLite would write none.
 */
export class KvMachine implements StateMachine<PutOutcome> {
  readonly #db: DatabaseSync;
  readonly #put;
  readonly #get;
  readonly #advance;
  readonly #transaction: OpenTransaction;
  #lastApplied: number;

  constructor(path: string) {
    const db = new DatabaseSync(path);
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4096; PRAGMA cache_size = -32768;
      CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS meta (one INTEGER PRIMARY KEY CHECK (one = 1), last_applied INTEGER NOT NULL) STRICT;
      INSERT OR IGNORE INTO meta VALUES (1, 0);`);
    this.#db = db;
    this.#put = db.prepare(
      "INSERT INTO kv VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision",
    );
    this.#get = db.prepare("SELECT value FROM kv WHERE key = ?");
    this.#advance = db.prepare("UPDATE meta SET last_applied = ?");
    const stored = db.prepare("SELECT last_applied FROM meta");
    const index = (): number => Number(stored.get()?.["last_applied"]);
    const write = (): void => void this.#advance.run(this.#lastApplied);
    this.#transaction = new OpenTransaction(db, { write, index });
    this.#lastApplied = index();
  }

  lastApplied(): number {
    return this.#lastApplied;
  }

  get(key: string): Uint8Array | undefined {
    this.#transaction.check();
    return (this.#get.get(key) as { value: Uint8Array } | undefined)?.value;
  }

  apply(entries: readonly { index: number; data: Uint8Array | null }[]): (PutOutcome | null)[] {
    return this.#transaction.apply(entries, () => {
      const outcomes = entries.map((entry) => this.#applyOne(entry));
      this.#lastApplied = entries.at(-1)?.index ?? this.#lastApplied;
      return outcomes;
    });
  }

  settle(): void {
    this.#transaction.commit();
  }

  makeDurable(): void {
    this.#transaction.commitDurably(() => this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
  }

  close(): void {
    if (!this.#transaction.hasFailed()) this.settle();
    this.#db.close();
  }

  #applyOne({ index, data }: { index: number; data: Uint8Array | null }): PutOutcome | null {
    if (data === null) return null;
    const command = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const valueAt = KEY_LENGTH_BYTES + command.readUInt16BE(0);
    this.#put.run(command.toString("latin1", KEY_LENGTH_BYTES, valueAt), command.subarray(valueAt), index);
    return { index };
  }
}
