import { z } from "zod";

/**
 * What a backup is: a manifest, which is written last and without which there is no backup, and its chunks. A chunk is rows
 * of the state (domain/backup/restore-rows.ts), compressed with zstd. The manifest vouches for every chunk, and its
 * envelope for the manifest.
 *
 *   {cluster_id}/manifests/{backup_id}.json     {cluster_id}/chunks/{backup_id}/000000.zst
 */
export const BACKUP_FORMAT = 1;
/** A chunk is closed before it has more; a row that is larger is a chunk of its own. */
export const BACKUP_CHUNK_BYTES = 4 * 1024 * 1024;
/** A chunk is one entry of the log when it is restored, which has at most 16 MiB. */
export const BACKUP_ROW_BYTES_MAX = 12 * 1024 * 1024;
export const MANIFEST_BYTES_MAX = 16 * 1024 * 1024;
/** Backups of one cluster that are looked at; the oldest go first when there are more. */
export const BACKUPS_MAX = 10_000;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();
const BACKUP_ID = /^bak-([a-z][a-z0-9]{0,31})-\d{17}-\d{1,15}-[0-9a-f]{8}$/;

export const backupManifest = z.object({
  format: z.literal(BACKUP_FORMAT),
  backup_id: z.string().regex(BACKUP_ID),
  cluster_id: z.string().regex(/^[a-z][a-z0-9]{0,31}$/),
  epoch: z.number().int().positive(),
  /** Index of the log that the rows reflect. */
  index: count,
  term: count,
  /** Leader's time at that index. */
  timestamp_ms: count,
  /** The clock of the node that took it, when it began. */
  taken_at_ms: count,
  node_id: count,
  membership: z.object({ voters: z.array(count), learners: z.array(count) }),
  feed: z.object({ last_index: count, compacted_index: count }),
  /** SHA-256 of all rows in their order, encoded. */
  state_hash: sha256,
  state_bytes: count,
  stored_bytes: count,
  rows: count,
  compression: z.literal("zstd"),
  chunks: z.array(z.object({ sha256, bytes: count, stored_sha256: sha256, stored_bytes: count })),
});
export type BackupManifest = z.infer<typeof backupManifest>;
export type BackupChunk = BackupManifest["chunks"][number];

/** An id that sorts by time within its cluster. `unique`: eight hex digits. */
export function backupIdOf(of: {
  clusterId: string;
  takenAtMs: number;
  index: number;
  unique: string;
}): string {
  const time = new Date(of.takenAtMs).toISOString().replaceAll(/\D/g, "");
  return `bak-${of.clusterId}-${time}-${of.index}-${of.unique}`;
}

/** The cluster that a backup is of; null for what is no backup's id. */
export function clusterOfBackup(backupId: string): string | null {
  return BACKUP_ID.exec(backupId)?.[1] ?? null;
}

export const manifestPrefix = (clusterId: string): string => `${clusterId}/manifests/`;
export const manifestName = (clusterId: string, backupId: string): string =>
  `${manifestPrefix(clusterId)}${backupId}.json`;
export const chunksPrefix = (clusterId: string): string => `${clusterId}/chunks/`;
export const chunkName = (clusterId: string, backupId: string, position: number): string =>
  `${chunksPrefix(clusterId)}${backupId}/${String(position).padStart(6, "0")}.zst`;
