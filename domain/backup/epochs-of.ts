import type { EpochStart, RestoredState } from "./backup-origin.ts";

/** A restore, as its entry of the feed tells of it. */
export interface LastRestore extends EpochStart {
  /** Index that the backup's state reflects. */
  restored_index: number;
}

/**
 * Which epoch an index of the feed is of, and what the state still knows of its last restore when the feed no longer has its
 * entry. `epoch` is that of a state that was never restored.
 */
export function epochsOf(
  restored: RestoredState | null | undefined,
  epoch: number,
): { tokens_not_before_ms: number; epochs: EpochStart[]; last_restore: LastRestore | null } {
  if (restored === null || restored === undefined) {
    return { tokens_not_before_ms: 0, epochs: [{ epoch, first_index: 0 }], last_restore: null };
  }
  const { tokens_not_before_ms, index, origin } = restored;
  const epochs = restored.epochs.map((start) => ({ epoch: start.epoch, first_index: start.first_index }));
  const last_restore = { epoch: restored.epoch, first_index: index, restored_index: origin.index };
  return { tokens_not_before_ms, epochs, last_restore };
}

/** The epoch that a restore began, whichever came after it; null for one that is not known to be done. */
export function epochBegunBy(restored: RestoredState | null | undefined, restoreId: string): number | null {
  if (restored === null || restored === undefined) return null;
  if (restored.restore_id === restoreId) return restored.epoch;
  return restored.epochs.find(({ restore_id }) => restore_id === restoreId)?.epoch ?? null;
}
