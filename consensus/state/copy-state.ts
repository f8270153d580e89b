/**
 * Copies of the state in a thread of their own, beside the writes: reading all of it, and the sync of a large file at the
 * end, would keep the node's own thread from its heartbeats.
 *
 * The thread has a connection of its own and reads one moment of the state in one transaction, however long it takes.
 * Meanwhile SQLite cannot carry its journal over past that moment: the writer is told not to try, and the thread does it
 * afterwards, so that what has gathered does not fall on the next command. SQLite's journal grows until then.
 * In TRUNCATE mode a reader would keep writes out; such a state is copied through the writer's connection.
 */
import { Worker } from "node:worker_threads";
import { CHECKPOINT_PAGES } from "./state-schema.ts";
import { backup, type DatabaseSync } from "node:sqlite";

/** What the thread is told. */
export interface CopyOrder {
  from: string;
  to: string;
  clusterId: string;
  /** One word, a `CONNECTION`. */
  connection: SharedArrayBuffer;
}
/** What it says: the index at which the copy stands, or why there is none. */
export type CopyAnswer = { index: number } | { failure: string };

/** Whether the thread's connection is open: a state must not be replaced below it. */
export const CONNECTION = { none: 0, open: 1, toClose: 2, closed: 3 } as const;

/** Database pages that are copied in one step through the writer's connection, while which writes wait. */
const STEP_PAGES = 1_000;
/** Beginnings of such a copy: each fails only where it meets a write, so this many hardly ever do. */
const COPY_TRIES_MAX = 200;

/** How long a thread may take to close its connection: a step and a sync of what was written since the last. */
const CLOSE_MS_MAX = 10_000;

/** The copies of one state that are being made. */
export class StateCopies {
  readonly #running = new Set<Int32Array>();

  /**
   * Resolves with the index of the copy, which is durable then. Rejects when the disk fails and when `stop` comes first.
   */
  async make(source: { db: DatabaseSync; path: string; clusterId: string }, to: string): Promise<number> {
    const { db, path: from, clusterId } = source;
    const order: CopyOrder = { from, to, clusterId, connection: new SharedArrayBuffer(4) };
    const connection = new Int32Array(order.connection);
    this.#running.add(connection);
    db.exec("PRAGMA wal_autocheckpoint = 0");
    try {
      const answer = await runThread(order);
      if ("failure" in answer) throw new Error(`the state could not be copied: ${answer.failure}`);
      return answer.index;
    } finally {
      this.#running.delete(connection);
      if (this.#running.size === 0 && db.isOpen) db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    }
  }

  /** Gives all of them up, and waits until none has the state open. Throws when one does not come to its end. */
  stop(): void {
    for (const connection of this.#running) {
      if (Atomics.compareExchange(connection, 0, CONNECTION.none, CONNECTION.closed) === CONNECTION.none)
        continue;
      Atomics.compareExchange(connection, 0, CONNECTION.open, CONNECTION.toClose);
      if (Atomics.wait(connection, 0, CONNECTION.toClose, CLOSE_MS_MAX) === "timed-out")
        throw new Error(`a copy of the state was not given up within ${CLOSE_MS_MAX} ms`);
    }
  }
}

function runThread(order: CopyOrder): Promise<CopyAnswer> {
  const thread = new Worker(new URL("copy-state-thread.ts", import.meta.url), {
    workerData: order,
    // Not what the node itself was started with.
    execArgv: [],
  });
  return new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", (code) => reject(new Error(`the thread that copies the state ended with ${code}`)));
  });
}

/**
 * Copies through the writer's own connection, page by page; pages that change meanwhile are copied again. SQLite takes no step
 * while a transaction is open: one that stayed open would have the copy try in vain. Rejects when the disk fails.
 */
export async function copyStepwise(db: DatabaseSync, path: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await backup(db, path, { rate: STEP_PAGES });
      return;
    } catch (error) {
      if (!metWrite(error) || tries === COPY_TRIES_MAX) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/**
 * Whether a copy ended because its first step fell into a transaction of `apply`: SQLite says busy, which Node takes for
 * the end as long as nothing is copied, and tells as an error with SQLite's code for none.
 */
function metWrite(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 0;
}
