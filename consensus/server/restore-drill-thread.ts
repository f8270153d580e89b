/** The thread of a drill: takes a `DrillOrder`, says a `DrillAnswer`, ends. */
import { parentPort, workerData } from "node:worker_threads";
import { openObjectStorage } from "../../adapters/object-storage/open-object-storage.ts";
import type { DrillAnswer, DrillOrder } from "./backup-parts.ts";
import { toRefusal } from "./http-reply.ts";
import { drillBackup } from "./restore-drill.ts";

const { place, endpointUrl, backupId, directory } = workerData as DrillOrder;
async function answer(): Promise<DrillAnswer> {
  try {
    const storage = openObjectStorage(place, endpointUrl === undefined ? {} : { url: endpointUrl });
    return { report: await drillBackup({ storage, backupId, directory, nowMs: Date.now }) };
  } catch (error) {
    const { refusal } = toRefusal(error);
    const detail = refusal.code === "internal" ? String(error) : refusal.message;
    return { code: refusal.code, detail };
  }
}
const said = await answer();
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
parentPort?.postMessage(said);
