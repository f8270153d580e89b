/** A restore, as the feed tells of it. Indexes of one log only grow, over restores too. */
export interface KnownRestore {
  /** The epoch that it began. */
  epoch: number;
  /** Index of the command that put the backup in the place of the state. */
  firstIndex: number;
  /** Index that the backup's state reflects. */
  restoredIndex: number;
}

/** Positions of one stretch of a log, all ends included; null: no end. */
export interface Stretch {
  fromEpoch: number;
  toEpoch: number | null;
  fromIndex: number;
  toIndex: number | null;
}

/**
 * The stretches of a cluster's log that its state comes from, the newest first: what a restore rolled back is in none of
 * them. A backup may be older or newer than one that was restored before it; what that one rolled back is there again when
 * the later backup holds it. Without restores it is the whole log. `restores` are those of one cluster, in any order.
 */
export function lineage(restores: readonly KnownRestore[]): Stretch[] {
  const stretches: Stretch[] = [];
  let toEpoch: number | null = null;
  let toIndex: number | null = null;
  for (const { epoch, firstIndex, restoredIndex } of restores.toSorted((a, b) => b.epoch - a.epoch)) {
    toEpoch = epoch - 1;
    // The backup that was restored later is from before this restore.
    if (toIndex !== null && firstIndex > toIndex) continue;
    stretches.push({ fromEpoch: epoch, toEpoch: epoch, fromIndex: firstIndex, toIndex });
    toIndex = restoredIndex;
  }
  return [...stretches, { fromEpoch: 0, toEpoch, fromIndex: 0, toIndex }];
}
