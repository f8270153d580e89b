/**
 * How much of a snapshot may be on its way unacknowledged. Everything on a stream leaves in order, so what is on its way
 * is what a heartbeat behind it waits for: the window shrinks as soon as acknowledgements take longer than
 * PACE_DELAY_MAX_MS (a slow network or disk, or a peer that is busy) and grows while they come quickly. The kernel's own
 * buffers are bounded with it, which no limit on our side of the socket could do.
 */
import { PIECE_BYTES } from "./snapshot-frames.ts";

/** Well below an election timeout, of which heartbeats must not use up much. */
export const PACE_DELAY_MAX_MS = 50;
export const WINDOW_BYTES_MIN = PIECE_BYTES;
export const WINDOW_BYTES_FIRST = 4 * PIECE_BYTES;
export const WINDOW_BYTES_MAX = 64 * PIECE_BYTES;

/** The window after an acknowledgement that took `delayMs`. */
export function nextWindowBytes(windowBytes: number, delayMs: number): number {
  return delayMs > PACE_DELAY_MAX_MS
    ? Math.max(WINDOW_BYTES_MIN, Math.floor(windowBytes / 2))
    : Math.min(WINDOW_BYTES_MAX, windowBytes + PIECE_BYTES);
}
