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
 * Keeps a projection's place in a feed. Of two writers at one place the second loses, and a cursor only moves forward.
 * Deleting the stored cursor makes its projection begin anew: whoever still runs loses its next move and reads again.
 * Every verb rejects with `unavailable` when the store is away; a move may then still have happened.
 */
export interface CursorStore {
  /** Null when there is none or it has expired. Sees every move that was acknowledged before. */
  read(key: CursorKey): Promise<FeedPosition | null>;
  /**
   * Moves the cursor from where `read` said it was, and answers true; false, with nothing changed, when it is not there
   * (any more). Rejects with a RangeError when `to` is not past `from`.
   */
  advance(key: CursorKey, move: { from: FeedPosition | null; to: FeedPosition }): Promise<boolean>;
}

/** Throws a RangeError when a move would not go forward. */
export function checkForward({ from, to }: { from: FeedPosition | null; to: FeedPosition }): void {
  if (from === null || to.epoch > from.epoch || (to.epoch === from.epoch && to.index > from.index)) return;
  throw new RangeError(
    `a cursor moves forward, not from ${from.epoch}/${from.index} to ${to.epoch}/${to.index}`,
  );
}
