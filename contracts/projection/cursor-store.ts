/** How far a projection has come in one epoch of a cluster's feed. Ordered by epoch, then by index. */
export interface FeedPosition {
  epoch: number;
  index: number;
}

/** Whose cursor it is. */
export interface CursorKey {
  projection: string;
  clusterId: string;
}

/** A cursor that has not moved for so long is gone; its projection then begins anew, which adds nothing. */
export const CURSOR_TTL_S = 90 * 24 * 60 * 60;

/**
 * Keeps a projection's place in a feed. Cursors only move forward, so of two writers the one behind loses and a repeat
 * changes nothing. Every verb rejects with `unavailable` when the store is away; a write may then still have happened,
 * and may simply be repeated.
 */
export interface CursorStore {
  /** Null when there is none or it has expired. Sees every write that was acknowledged before. */
  read(key: CursorKey): Promise<FeedPosition | null>;
  /** Moves the cursor to `to` and answers true; false, with nothing changed, when it is there or further already. */
  advance(key: CursorKey, to: FeedPosition): Promise<boolean>;
  /** Forgets the cursor, so that its projection is made anew from the beginning. */
  remove(key: CursorKey): Promise<void>;
}
