import { Worker } from "node:worker_threads";
import { openObjectStorage } from "../../adapters/object-storage/open-object-storage.ts";
import type { DrillReport } from "../../contracts/backup/backup-api.ts";
import { ConfluxError, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import type { BackupParts } from "./backup-service.ts";
import type { BackupEnvironment } from "./read-backup-environment.ts";

/** A drill reads a whole state and counts what it names, a share at a time: it must not take the node's memory for it. */
const DRILL_HEAP_MIB_MAX = 512;

export interface DrillOrder {
  place: string;
  endpointUrl: string | undefined;
  backupId: string;
  directory: string;
}
/** What the thread of a drill says last. */
export type DrillAnswer = { report: DrillReport } | { code: ErrorCode; detail: string };

/** What the service needs, from settings. Drills run in a thread of their own, so that the node goes on meanwhile. */
export function backupParts(env: BackupEnvironment, directory: string): Omit<BackupParts, "nowMs"> {
  const { place, endpointUrl, intervalMs, keepCount, keepDays } = env;
  return {
    storage: openObjectStorage(place, endpointUrl === undefined ? {} : { url: endpointUrl }),
    directory,
    intervalMs,
    keepCount,
    keepDays,
    drill: (backupId) => drillInThread({ place, endpointUrl, backupId, directory }),
  };
}

async function drillInThread(order: DrillOrder): Promise<DrillReport> {
  const worker = new Worker(new URL("restore-drill-thread.ts", import.meta.url), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: DRILL_HEAP_MIB_MAX },
    // Not what the node itself was started with: a guard over its parent is no business of a thread.
    execArgv: [],
  });
  const answer = await new Promise<DrillAnswer>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the drill's thread ended with ${code}`)));
  });
  if ("report" in answer) return answer.report;
  throw new ConfluxError(answer.code, answer.detail);
}
