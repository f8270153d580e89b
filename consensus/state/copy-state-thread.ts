/** The thread of a copy: takes a `CopyOrder`, says a `CopyAnswer`, ends. */
import { closeSync, fdatasyncSync, openSync } from "node:fs";
import { backup, DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { CONNECTION, type CopyAnswer, type CopyOrder } from "./copy-state.ts";
import { readCopy } from "./state-schema.ts";

/** Pages between two looks at whether the copy is still wanted. */
const STEP_PAGES = 1_000;
/** Steps after which what was written is synced: not all of it at the end, when the disk is wanted by the log too. */
const SYNC_STEPS = 4;

const { from, to, clusterId, connection: shared } = workerData as CopyOrder;
const connection = new Int32Array(shared);

async function copy(): Promise<void> {
  if (Atomics.compareExchange(connection, 0, CONNECTION.none, CONNECTION.open) !== CONNECTION.none)
    throw new Error("it is not wanted any more");
  try {
    const reader = new DatabaseSync(from);
    try {
      reader.exec("PRAGMA wal_autocheckpoint = 0; BEGIN");
      // The transaction begins with the first thing that is read.
      reader.prepare("SELECT value FROM meta WHERE key = 'last_applied'").get();
      await copyPages(reader);
      reader.exec("COMMIT; PRAGMA wal_checkpoint(PASSIVE)");
    } finally {
      reader.close();
    }
  } finally {
    Atomics.store(connection, 0, CONNECTION.closed);
    Atomics.notify(connection, 0);
  }
}

async function copyPages(reader: DatabaseSync): Promise<void> {
  let file: number | null = null;
  let steps = 0;
  try {
    await backup(reader, to, {
      rate: STEP_PAGES,
      progress: () => {
        if (Atomics.load(connection, 0) !== CONNECTION.open) throw new Error("it is not wanted any more");
        steps += 1;
        if (steps % SYNC_STEPS > 0) return;
        file ??= openSync(to, "r");
        fdatasyncSync(file);
      },
    });
  } finally {
    if (file !== null) closeSync(file);
  }
}

async function answer(): Promise<CopyAnswer> {
  try {
    await copy();
    return { index: readCopy(to, clusterId).index };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
const said = await answer();
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
parentPort?.postMessage(said);
