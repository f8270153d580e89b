import type { Prng } from "../../consensus/sim/prng.ts";
import type { EdgeTarget } from "./fetch-at-edge.ts";

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 2_000;

/** What all clients of a process share. */
export interface ClientWorld {
  /** Its token is another one after a restore. */
  target: EdgeTarget;
  chance: Prng;
  pollMs: number;
  nowMs: () => number;
  /** Whether clients give up requests half way at present. */
  isCancelling: () => boolean;
  /** Whether a token may be refused: one that a restore has ended, or may end at this moment. */
  mayEnd: (token: string) => boolean;
  /** How long to wait before the next attempt: longer each time, at least so long, and by chance. */
  backoffMs: (attempt: number, atLeastMs: number) => number;
  count: (what: string, by?: number) => void;
  /** Keeps the largest. */
  longest: (what: string, ms: number) => void;
  violated: (what: string) => void;
}

export function backoffBy(chance: Prng): ClientWorld["backoffMs"] {
  return (attempt, atLeastMs) => {
    const backoffMs = Math.min(BACKOFF_MIN_MS * 2 ** attempt, BACKOFF_MAX_MS);
    return Math.max(backoffMs, atLeastMs) * (0.5 + chance.next() / 2);
  };
}
