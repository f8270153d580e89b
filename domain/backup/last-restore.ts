import type { EpochStart, RestoredState } from "./backup-origin.ts";

/** A restore, as its entry of the feed tells of it. */
export interface LastRestore extends EpochStart {
  /** Index that the backup's state reflects. */
  restored_index: number;
}

/** What the state still knows of its last restore when the feed no longer has its entry; null when there was none. */
export function lastRestoreOf(restored: RestoredState | null | undefined): LastRestore | null {
  if (restored === null || restored === undefined) return null;
  const { epoch, index, origin } = restored;
  return { epoch, first_index: index, restored_index: origin.index };
}
