import { chunksPrefix, clusterOfBackup, manifestName } from "../../contracts/backup/backup-manifest.ts";
import { OBJECT_LIST_MAX, type ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import { listBackupIds } from "./backup-read.ts";

/** Chunks without a manifest that are older belong to a backup that failed. */
export const PARTIAL_BACKUP_MS_MAX = 24 * 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** The clocks of two leaders are no further apart; an id from later than this was made by a clock that was wrong. */
export const CLOCK_APART_MS_MAX = 60_000;

export interface BackupRetention {
  /** Backups that are kept; at least one. */
  keepCount: number;
  /** Backups are kept for so long, but the newest for ever. */
  keepDays: number;
}

/**
 * Removes the backups of a cluster that are past the retention, the manifest first: what is left of one that was removed by
 * half is no backup, and goes with the chunks that failed backups left. The newest is never removed; those that claim to be
 * of the future count as the oldest (`byAge`).
 */
export async function pruneBackups(
  storage: ObjectStorage,
  clusterId: string,
  retention: BackupRetention & { nowMs: number },
): Promise<{ removed: string[] }> {
  const ids = byAge(await listBackupIds(storage, clusterId), retention.nowMs);
  const removed = ids.filter((id, i) => {
    if (i === 0) return false;
    const isOld = retention.nowMs - takenAtMs(id) > retention.keepDays * DAY_MS;
    return i >= Math.max(1, retention.keepCount) || isOld;
  });
  await storage.remove(removed.map((id) => manifestName(clusterId, id)));
  const kept = new Set(ids.filter((id) => !removed.includes(id)));
  await sweepChunks(storage, clusterId, (id, modifiedAtMs) => {
    if (kept.has(id)) return false;
    return removed.includes(id) || retention.nowMs - modifiedAtMs > PARTIAL_BACKUP_MS_MAX;
  });
  return { removed };
}

async function sweepChunks(
  storage: ObjectStorage,
  clusterId: string,
  isGone: (backupId: string, modifiedAtMs: number) => boolean,
): Promise<void> {
  const prefix = chunksPrefix(clusterId);
  let after: string | null = null;
  do {
    const page = await storage.list(prefix, { after, limit: OBJECT_LIST_MAX });
    const gone = page.items.filter(({ name, modifiedAtMs }) => {
      const id = name.slice(prefix.length).split("/")[0] ?? "";
      return clusterOfBackup(id) === clusterId && isGone(id, modifiedAtMs);
    });
    if (gone.length > 0) await storage.remove(gone.map(({ name }) => name));
    after = page.next;
  } while (after !== null);
}

/**
 * Ids in the order in which they count as the newest, given newest first: those of the future last, since a clock that was
 * far ahead once made them, and they would be the newest for as long as it was ahead.
 */
export function byAge(ids: readonly string[], nowMs: number): string[] {
  const isPast = (id: string): boolean => takenAtMs(id) <= nowMs + CLOCK_APART_MS_MAX;
  return [...ids.filter((id) => isPast(id)), ...ids.filter((id) => !isPast(id))];
}

/** When a backup was taken, as its id says. */
export function takenAtMs(backupId: string): number {
  const [, y, mo, d, h, mi, s, ms] =
    /-(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d{3})-\d+-[0-9a-f]{8}$/.exec(backupId) ?? [];
  return Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s), Number(ms));
}
