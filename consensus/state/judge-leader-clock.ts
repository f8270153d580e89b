/**
 * Whether a leader's clock is so far from the others' that it should hand over (R9), and to whom. Pure.
 *
 * Who is right is decided by the median of the voters' clocks, so at least three of them must be known: of two that
 * disagree nobody can say which one is wrong, and then nothing is done. With an even number known the median is the span
 * between the middle two. Hysteresis: a successor must be much nearer to the median than the leader is far from it, the
 * leader must be off several times in a row, and after a hand-over there is a long pause; so scattered clocks end at
 * whoever stands in the middle and stay there.
 */
import type { NodeId } from "../raft/types.ts";

/** Further from the median than this, a leader hands over. Its stamps are held within as much (`boundWallMs`). */
export const CLOCK_OFF_MAX_MS = 5_000;
/** A successor's clock is at most so far from the median. */
export const CLOCK_NEAR_MS = 1_000;
/** A clock that is known no better than this, by the round trip that measured it, is not known. */
export const CLOCK_UNCERTAIN_MAX_MS = 500;
/** Nor is one that was last read so long ago. */
export const CLOCK_AGE_MAX_MS = 5_000;
/** So often in a row a leader must be found off. */
export const CLOCK_OFF_LOOKS = 3;
/** After a hand-over was asked for, whatever came of it. */
export const CLOCK_TRANSFER_PAUSE_MS = 60_000;

/** Another member's clock as seen from here. */
export interface PeerClock {
  nodeId: NodeId;
  /** Its time minus ours. */
  offsetMs: number;
  uncertaintyMs: number;
  ageMs: number;
}
/** The median of the voters' clocks, relative to ours. */
export interface MedianClock {
  lowMs: number;
  highMs: number;
}
export interface Voter {
  nodeId: NodeId;
  /** Connected, and has everything that is committed. */
  ready: boolean;
}

/** Null when fewer than a majority of the voters' clocks are known. `self` must be a voter. */
export function medianClock(
  self: NodeId,
  voters: readonly NodeId[],
  clocks: readonly PeerClock[],
): MedianClock | null {
  if (!voters.includes(self)) return null;
  const known = clocks.filter(
    ({ nodeId, uncertaintyMs, ageMs }) =>
      nodeId !== self &&
      voters.includes(nodeId) &&
      uncertaintyMs <= CLOCK_UNCERTAIN_MAX_MS &&
      ageMs <= CLOCK_AGE_MAX_MS,
  );
  const offsets = [0, ...known.map(({ offsetMs }) => offsetMs)].toSorted((a, b) => a - b);
  if (offsets.length <= voters.length / 2) return null;
  const middle = (offsets.length - 1) / 2;
  return { lowMs: offsets[Math.floor(middle)] ?? 0, highMs: offsets[Math.ceil(middle)] ?? 0 };
}

/** How far a clock is from the median. */
export function distanceMs(median: MedianClock, offsetMs: number): number {
  return Math.max(median.lowMs - offsetMs, offsetMs - median.highMs, 0);
}

/** Our wall clock, held within CLOCK_OFF_MAX_MS of the median. */
export function boundWallMs(wallMs: number, median: MedianClock | null): number {
  if (median === null) return wallMs;
  const lowest = wallMs + median.lowMs - CLOCK_OFF_MAX_MS;
  const highest = wallMs + median.highMs + CLOCK_OFF_MAX_MS;
  return Math.min(Math.max(wallMs, lowest), highest);
}

/** What is remembered from one look to the next. */
export interface ClockWatch {
  offLooks: number;
  quietUntilMs: number;
}
export const CLOCK_WATCH_START: ClockWatch = { offLooks: 0, quietUntilMs: Number.NEGATIVE_INFINITY };

/** One look of a leader at the clocks: what to remember, and to whom to hand over, if to anyone. */
export function judgeLeaderClock(
  watch: ClockWatch,
  input: { self: NodeId; voters: readonly Voter[]; clocks: readonly PeerClock[]; nowMs: number },
): { watch: ClockWatch; transferTo: NodeId | null } {
  const { self, voters, clocks, nowMs } = input;
  const ids = voters.map(({ nodeId }) => nodeId);
  const median = medianClock(self, ids, clocks);
  if (median === null || distanceMs(median, 0) <= CLOCK_OFF_MAX_MS) {
    return { watch: { ...watch, offLooks: 0 }, transferTo: null };
  }
  const offLooks = Math.min(watch.offLooks + 1, CLOCK_OFF_LOOKS);
  const successor = clocks
    .filter(
      ({ nodeId, offsetMs, uncertaintyMs, ageMs }) =>
        voters.some((voter) => voter.nodeId === nodeId && voter.ready) &&
        uncertaintyMs <= CLOCK_UNCERTAIN_MAX_MS &&
        ageMs <= CLOCK_AGE_MAX_MS &&
        distanceMs(median, offsetMs) <= CLOCK_NEAR_MS,
    )
    .toSorted(
      (a, b) => distanceMs(median, a.offsetMs) - distanceMs(median, b.offsetMs) || a.nodeId - b.nodeId,
    )[0];
  if (offLooks < CLOCK_OFF_LOOKS || nowMs < watch.quietUntilMs || successor === undefined) {
    return { watch: { ...watch, offLooks }, transferTo: null };
  }
  return {
    watch: { offLooks: 0, quietUntilMs: nowMs + CLOCK_TRANSFER_PAUSE_MS },
    transferTo: successor.nodeId,
  };
}
