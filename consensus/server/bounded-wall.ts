import { boundWallMs, type MedianClock } from "../state/judge-leader-clock.ts";

/** The others' clocks are told once a second; looking more often costs and shows nothing new. */
const LOOK_EVERY_MS = 250;

/**
 * This machine's clock, held near the median of the voters' as far as that is known, so that not even the first stamp of a
 * leader whose clock is wrong can take the cluster's time far ahead, where it would have to stand still (R9).
 */
export function boundedWall(options: {
  wallMs: () => number;
  elapsedMs: () => number;
  median: () => MedianClock | null;
}): () => number {
  const { wallMs, elapsedMs, median } = options;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let known: MedianClock | null = null;
  return () => {
    const nowMs = elapsedMs();
    if (nowMs - lookedAtMs >= LOOK_EVERY_MS) {
      lookedAtMs = nowMs;
      known = median();
    }
    return boundWallMs(wallMs(), known);
  };
}
