import { createHash } from "node:crypto";
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DRILL_FINDINGS_MAX, type DrillReport } from "../../contracts/backup/backup-api.ts";
import type { ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import { checkInvariants } from "../../domain/command/check-invariants.ts";
import { openRaftLog } from "../raft-log.ts";
import type { ReplicatedLog } from "../replicated-log.ts";
import { encodeLogEntry } from "../state/log-entry.ts";
import { StateStore } from "../state/state-store.ts";
import { createMemoryNetwork } from "../transport/memory-network.ts";
import { chunkRows } from "./backup-chunks.ts";
import { readManifest } from "./backup-read.ts";
import { feedRestore } from "./restore-feed.ts";

const NODE_ID = 1;
const AUTHOR = {
  actor: { type: "system", id: "restore-drill", name: "restore-drill" },
  ip: "",
  traceId: "0".repeat(32),
} as const;

/**
 * Proves a backup: restores it, by the commands of a real restore, into a cluster of one node in a directory of its own
 * beside the running one, then makes the state's hash anew and checks what must hold of a state. Rejects like
 * `readManifest` and `readChunk`; what does not match or hold is in the report. The directory is gone afterwards.
 */
export async function drillBackup(input: {
  storage: ObjectStorage;
  backupId: string;
  /** Where the directory is made. */
  directory: string;
  nowMs: () => number;
}): Promise<DrillReport> {
  const { storage, backupId, nowMs } = input;
  const startedMs = performance.now();
  const manifest = await readManifest(storage, backupId);
  mkdirSync(input.directory, { recursive: true });
  const directory = mkdtempSync(join(input.directory, "drill-"));
  try {
    const { store, log } = await openScratch(directory, manifest.cluster_id);
    try {
      const propose = async (command: Uint8Array): Promise<ApplyOutcome> =>
        (await log.propose(encodeLogEntry(nowMs(), command))).result;
      await feedRestore({
        propose,
        storage,
        manifest,
        restoreId: "drill",
        force: false,
        epochMin: 0,
        author: AUTHOR,
      });
      const hash = createHash("sha256");
      for (const { bytes } of chunkRows(store.rows())) hash.update(bytes);
      const state_hash = hash.digest("hex");
      const invariants_broken = checkInvariants(store).slice(0, DRILL_FINDINGS_MAX);
      const hash_matches = state_hash === manifest.state_hash;
      return {
        backup_id: backupId,
        index: manifest.index,
        rows: manifest.rows,
        state_bytes: manifest.state_bytes,
        expected_state_hash: manifest.state_hash,
        state_hash,
        hash_matches,
        invariants_broken,
        proven: hash_matches && invariants_broken.length === 0,
        duration_ms: Math.round(performance.now() - startedMs),
      };
    } finally {
      await log.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function openScratch(
  directory: string,
  clusterId: string,
): Promise<{ store: StateStore; log: ReplicatedLog<ApplyOutcome> }> {
  const store = new StateStore({ path: join(directory, "state.db"), clusterId, journal: "truncate" });
  try {
    const log = await openRaftLog<ApplyOutcome>({
      nodeId: NODE_ID,
      directory,
      members: [NODE_ID],
      stateMachine: store,
      transport: createMemoryNetwork().transport(NODE_ID),
      // Whoever waits for a proposal hears of it.
      onFatal: () => undefined,
    });
    await log.start();
    return { store, log };
  } catch (error) {
    store.close();
    throw error;
  }
}
