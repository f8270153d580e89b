/**
 * One SQLite transaction for many batches of the log: a page that several of them change is written once, and what a commit costs
 * (locks, the journal's writes; on a network disk its syncs) is paid once.
 *
 * Invariant: what the file holds is the state at the end of some batch, its position included, and the log still has every entry
 * after that, since it lets go of none before `makeDurable` has committed. A process that is killed therefore loses nothing: its
 * next one applies those entries again. So a transaction that is lost must never be taken for one that was committed: SQLite rolls
 * it back by itself when it fails in the middle of anything, a read included. After such a failure everything here throws, until the
 * process has ended and the next one has opened the file; were one more batch applied, or the log compacted, what was answered
 * before would be missing for good. Nor may it begin on a file that somebody else has written since: a process that opened the file
 * before it had the directory's lock, while the one before it committed for the last time, would apply the same entries twice.
 */
import type { DatabaseSync } from "node:sqlite";

/**
 * How much one transaction takes up: more gives little, and its commit holds the node's thread for longer. A tick of the log ends
 * it as well, so that at rest the file is complete.
 */
export const TRANSACTION_BATCHES_MAX = 32;
export const TRANSACTION_BYTES_MAX = 1024 * 1024;

/** How far the state is, in the file. */
export interface StoredPosition {
  /** Writes it; belongs to every commit, once. */
  write(): void;
  /** The index that is there, or in the open transaction. */
  index(): number;
}

export class OpenTransaction {
  readonly #db: DatabaseSync;
  readonly #position: StoredPosition;
  /** Of the file, as this process found or left it. */
  #index: number;
  /** Since `BEGIN`, as far as we know: what SQLite says may differ, and then something is lost. */
  #isOpen = false;
  #batches = 0;
  #bytes = 0;
  #failure: Error | null = null;

  /** Whoever keeps the position in memory reads it after this. */
  constructor(db: DatabaseSync, position: StoredPosition) {
    this.#db = db;
    this.#position = position;
    this.#index = position.index();
  }

  /** Before each read. Throws when the database is no longer what was applied: the first failure. */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#isOpen && !this.#db.isTransaction)
      this.#fail(new Error("the state's file: SQLite has rolled back what was applied and not committed"));
  }

  /** Does the changes of a batch, and commits when enough is gathered. Throws what fails, from then on always. */
  apply<T>(entries: readonly { data: Uint8Array | null }[], change: () => T): T {
    this.check();
    try {
      if (!this.#isOpen) this.#begin();
      const answer = change();
      this.check();
      this.#batches += 1;
      for (const { data } of entries) this.#bytes += data?.byteLength ?? 0;
      if (this.#batches >= TRANSACTION_BATCHES_MAX || this.#bytes >= TRANSACTION_BYTES_MAX) this.commit();
      return answer;
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Commits what is open. Throws what fails, from then on always. */
  commit(): void {
    this.check();
    if (!this.#isOpen) return;
    try {
      this.#position.write();
      const index = this.#position.index();
      this.#db.exec("COMMIT");
      this.#index = index;
    } catch (error) {
      this.#fail(error);
    }
    this.#clear();
  }

  /**
   * Commits what is open, and lets `sync` make it survive a power cut. Throws what fails, from then on always: after a sync that
   * failed the next one may succeed without the bytes.
   */
  commitDurably(sync: () => void): void {
    this.commit();
    try {
      sync();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Drops what is open: for a state that is replaced, or closed after a failure. */
  rollBack(): void {
    if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    this.#clear();
  }

  hasFailed(): boolean {
    return this.#failure !== null;
  }

  #begin(): void {
    this.#db.exec("BEGIN IMMEDIATE");
    this.#isOpen = true;
    const found = this.#position.index();
    if (found !== this.#index)
      throw new Error(
        `the state's file: another process has written it, it is at ${found}, not at ${this.#index}`,
      );
  }

  #clear(): void {
    this.#isOpen = false;
    this.#batches = 0;
    this.#bytes = 0;
  }

  #fail(cause: unknown): never {
    this.#failure ??= cause instanceof Error ? cause : new Error(String(cause));
    try {
      this.rollBack();
    } catch {
      // Nothing is used any more, and the first failure is the one to be told.
    }
    throw this.#failure;
  }
}
