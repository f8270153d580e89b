import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  BACKUP_FORMAT,
  backupIdOf,
  type BackupManifest,
  chunkName,
  manifestName,
} from "../../contracts/backup/backup-manifest.ts";
import type { ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { RESTORE_CHUNKS_MAX } from "../../domain/limits.ts";
import type { ReplicatedLogStatus } from "../replicated-log.ts";
import { StateStore } from "../state/state-store.ts";
import { chunkRows, packChunk } from "./backup-chunks.ts";
import { sealManifest } from "./backup-read.ts";

export interface BackupSource {
  clusterId: string;
  store: Pick<StateStore, "copyTo">;
  status: () => ReplicatedLogStatus;
  storage: ObjectStorage;
  /** For the copy that the backup is made from; it is gone again afterwards. */
  directory: string;
  nowMs: () => number;
  /** Told the id as soon as it is known. */
  onId?: (backupId: string) => void;
}

/**
 * Copies the state as it is at one index, beside the writes, and puts the copy into the storage chunk by chunk, the
 * manifest last: a backup that fails anywhere is none, and what it left is swept away later. Rejects with `unavailable`
 * when the storage is away and with `payload_too_large` for a state that no restore could take in.
 */
export async function takeBackup(source: BackupSource): Promise<BackupManifest> {
  const { clusterId, directory, nowMs } = source;
  const takenAtMs = nowMs();
  const unique = randomBytes(4).toString("hex");
  const path = join(directory, `copy-${unique}.db`);
  mkdirSync(directory, { recursive: true });
  let copy: StateStore | null = null;
  try {
    await source.store.copyTo(path);
    const { term, nodeId, members } = source.status();
    copy = new StateStore({ path, clusterId, journal: "truncate" });
    const index = copy.index();
    const backupId = backupIdOf({ clusterId, takenAtMs, index, unique });
    source.onId?.(backupId);
    const idsOf = (voter: boolean): number[] =>
      members.filter((member) => member.voter === voter).map((member) => member.nodeId);
    const manifest: BackupManifest = {
      format: BACKUP_FORMAT,
      backup_id: backupId,
      cluster_id: clusterId,
      epoch: copy.epoch(),
      index,
      term,
      timestamp_ms: copy.lastTimestampMs(),
      taken_at_ms: takenAtMs,
      node_id: nodeId,
      membership: { voters: idsOf(true), learners: idsOf(false) },
      feed: { last_index: copy.lastFeedIndex(), compacted_index: copy.feed().compactedIndex },
      compression: "zstd",
      ...(await storeChunks(source.storage, { clusterId, backupId }, copy)),
    };
    await source.storage.put(manifestName(clusterId, backupId), sealManifest(manifest));
    return manifest;
  } finally {
    copy?.close();
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
  }
}

type Stored = Pick<BackupManifest, "state_hash" | "state_bytes" | "stored_bytes" | "rows" | "chunks">;

async function storeChunks(
  storage: ObjectStorage,
  { clusterId, backupId }: { clusterId: string; backupId: string },
  copy: StateStore,
): Promise<Stored> {
  const hash = createHash("sha256");
  const stored: Stored = { state_hash: "", state_bytes: 0, stored_bytes: 0, rows: 0, chunks: [] };
  for (const { bytes, rows } of chunkRows(copy.rows())) {
    if (stored.chunks.length === RESTORE_CHUNKS_MAX) {
      throw new ConfluxError("payload_too_large", `the state has more than ${RESTORE_CHUNKS_MAX} chunks`);
    }
    hash.update(bytes);
    const packed = await packChunk(bytes);
    await storage.put(chunkName(clusterId, backupId, stored.chunks.length), packed.stored);
    stored.chunks.push(packed.chunk);
    stored.rows += rows;
    stored.state_bytes += bytes.byteLength;
    stored.stored_bytes += packed.stored.byteLength;
  }
  return { ...stored, state_hash: hash.digest("hex") };
}
