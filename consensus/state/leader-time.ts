/**
 * Leader-stamped time (R9). A stamp never goes back, and exceeds the last one by at most the time that has really
 * elapsed plus CLOCK_STEP_MAX_MS: one fast clock cannot push the cluster's time far ahead of everyone, where it would
 * have to stand still until the others caught up. `elapsedMs` must come from a clock that nobody sets, and that counts
 * while the machine sleeps.
 */
export const CLOCK_STEP_MAX_MS = 10_000;

/** The newest stamp seen (made here or applied from another leader) and when, on the elapsed clock, it was seen. */
export interface LastStamp {
  stampMs: number;
  elapsedMs: number;
}

/**
 * The stamp for a command proposed now. `last` is null until this process has seen a stamp live: then the wall clock is
 * believed, but not below `floorMs`, the newest stamp in the state.
 */
export function nextStampMs(input: {
  wallMs: number;
  elapsedMs: number;
  last: LastStamp | null;
  floorMs: number;
}): number {
  const floorMs = Math.max(input.floorMs, input.last?.stampMs ?? 0);
  if (input.last === null) return Math.max(floorMs, input.wallMs);
  const passedMs = Math.max(0, input.elapsedMs - input.last.elapsedMs);
  const ceilingMs = Math.max(floorMs, input.last.stampMs + passedMs + CLOCK_STEP_MAX_MS);
  return Math.min(Math.max(input.wallMs, floorMs), ceilingMs);
}
