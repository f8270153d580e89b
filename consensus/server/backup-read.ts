import {
  BACKUP_FORMAT,
  backupManifest,
  type BackupManifest,
  BACKUPS_MAX,
  chunkName,
  clusterOfBackup,
  MANIFEST_BYTES_MAX,
  manifestName,
  manifestPrefix,
} from "../../contracts/backup/backup-manifest.ts";
import {
  OBJECT_BYTES_MAX,
  OBJECT_LIST_MAX,
  type ObjectStorage,
} from "../../contracts/object-storage/object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { sha256, unpackChunk } from "./backup-chunks.ts";

/** The manifest as it is stored: with a hash of its own, since everything else is judged by it. */
export function sealManifest(manifest: BackupManifest): Uint8Array {
  const hash = sha256(Buffer.from(JSON.stringify(manifest)));
  return Buffer.from(JSON.stringify({ manifest, sha256: hash }));
}

/**
 * The manifest of a backup, whichever cluster it is of. Throws `not_found` when there is no such backup,
 * `validation_failed` when it is damaged or of a format that this build does not know.
 */
export async function readManifest(storage: ObjectStorage, backupId: string): Promise<BackupManifest> {
  const clusterId = clusterOfBackup(backupId);
  if (clusterId === null) throw new ConfluxError("not_found", `there is no backup ${backupId}`);
  const name = manifestName(clusterId, backupId);
  const bytes = await storage.get(name, MANIFEST_BYTES_MAX).catch((error: unknown) => {
    if (!(error instanceof ConfluxError) || error.code !== "not_found") throw error;
    throw new ConfluxError("not_found", `there is no backup ${backupId}`, { cause: error });
  });
  const sealed = parseSealed(bytes, name);
  const format = (sealed as { format?: unknown }).format;
  if (format !== BACKUP_FORMAT) {
    throw new ConfluxError(
      "validation_failed",
      `${name} is of format ${String(format)}, this build knows ${BACKUP_FORMAT}`,
    );
  }
  const parsed = backupManifest.safeParse(sealed);
  if (!parsed.success || parsed.data.backup_id !== backupId) throw damaged(name, parsed.error);
  return parsed.data;
}

function parseSealed(bytes: Uint8Array, name: string): object {
  let sealed: { manifest?: unknown; sha256?: unknown };
  try {
    sealed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as typeof sealed;
  } catch (cause) {
    throw damaged(name, cause);
  }
  const { manifest } = sealed;
  if (typeof manifest !== "object" || manifest === null) throw damaged(name);
  if (sha256(Buffer.from(JSON.stringify(manifest))) !== sealed.sha256) throw damaged(name);
  return manifest;
}

function damaged(name: string, cause?: unknown): ConfluxError {
  return new ConfluxError("validation_failed", `${name} is damaged`, { cause });
}

/** The bytes of a chunk. Throws `validation_failed` when it is missing or damaged. */
export async function readChunk(
  storage: ObjectStorage,
  manifest: BackupManifest,
  position: number,
): Promise<Uint8Array> {
  const chunk = manifest.chunks[position];
  if (chunk === undefined)
    throw new RangeError(`a backup of ${manifest.chunks.length} chunks has no ${position}`);
  const name = chunkName(manifest.cluster_id, manifest.backup_id, position);
  const stored = await storage.get(name, OBJECT_BYTES_MAX).catch((error: unknown) => {
    if (!(error instanceof ConfluxError) || error.code !== "not_found") throw error;
    throw new ConfluxError("validation_failed", `${name} is missing`, { cause: error });
  });
  return unpackChunk(stored, chunk, name);
}

/** Ids of a cluster's backups, newest first; at most BACKUPS_MAX, and then the newest of them are missing. */
export async function listBackupIds(storage: ObjectStorage, clusterId: string): Promise<string[]> {
  const prefix = manifestPrefix(clusterId);
  const ids: string[] = [];
  let after: string | null = null;
  do {
    const page = await storage.list(prefix, { after, limit: OBJECT_LIST_MAX });
    for (const { name } of page.items) {
      const id = name.slice(prefix.length).replace(/\.json$/, "");
      if (clusterOfBackup(id) === clusterId) ids.push(id);
    }
    after = page.next;
  } while (after !== null && ids.length < BACKUPS_MAX);
  return ids.toReversed();
}
