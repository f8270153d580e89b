/**
 * One SQLite transaction for many batches of the log: a page that several of them change is written once, and what a commit costs
 * (locks, the journal's writes; on a network disk its syncs) is paid once.
 *
 * Invariant: what the file holds is the state at the end of some batch, its position included, and the log still has every entry
 * after that, since it lets go of none before `makeDurable` has committed. A process that is killed therefore loses nothing: its
 * next one applies those entries again. It breaks when somebody else's connection is to see what was applied: whoever copies the
 * file must commit first.
 */
import type { DatabaseSync } from "node:sqlite";

/**
 * How much one transaction takes up: more gives little, and its commit holds the node's thread for longer. A tick of the log ends
 * it as well, so that at rest the file is complete.
 */
export const TRANSACTION_BATCHES_MAX = 32;
export const TRANSACTION_BYTES_MAX = 1024 * 1024;

export interface CommitHooks {
  /** Writes what belongs to every commit, once: the position. */
  beforeCommit: () => void;
  afterCommit: () => void;
}

export class OpenTransaction {
  readonly #db: DatabaseSync;
  readonly #hooks: CommitHooks;
  #batches = 0;
  #bytes = 0;

  constructor(db: DatabaseSync, hooks: CommitHooks) {
    this.#db = db;
    this.#hooks = hooks;
  }

  /** Before the changes of a batch. */
  begin(): void {
    if (!this.#db.isTransaction) this.#db.exec("BEGIN IMMEDIATE");
  }

  /** After them. Commits when enough is gathered. */
  end(entries: readonly { data: Uint8Array | null }[]): void {
    this.#batches += 1;
    for (const { data } of entries) this.#bytes += data?.byteLength ?? 0;
    if (this.#batches >= TRANSACTION_BATCHES_MAX || this.#bytes >= TRANSACTION_BYTES_MAX) this.commit();
  }

  /** Commits what is open. Throws SQLite's error: then `rollBack` must follow. */
  commit(): void {
    if (!this.#db.isTransaction) return;
    this.#hooks.beforeCommit();
    this.#db.exec("COMMIT");
    this.#clear();
    this.#hooks.afterCommit();
  }

  /** Drops what is open: the state is what the last commit left. */
  rollBack(): void {
    // What failed may have ended the transaction already.
    if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    this.#clear();
  }

  #clear(): void {
    this.#batches = 0;
    this.#bytes = 0;
  }
}
