/** Upper bounds of the histogram of propagation, in ms; what took longer than the last stands in a bucket of its own. */
export const PROPAGATION_BOUNDS_MS = [
  50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 3_600_000,
] as const;
/** The bound of that last bucket, as it is stored. */
export const PROPAGATION_BEYOND_MS = 2_147_483_647;
/** How far a client's clock may be off before it says nothing. */
const CLOCK_SKEW_MS_MAX = 5_000;

/**
 * How long a change took from the log to the client, ms; null when the client's clock cannot be right: it says "before
 * the change" or "after the report arrived" by more than CLOCK_SKEW_MS_MAX. Less than that is cut to what is possible.
 */
export function propagationMs(of: {
  changedAtMs: number;
  appliedAtMs: number;
  receivedAtMs: number;
}): number | null {
  const { changedAtMs, appliedAtMs, receivedAtMs } = of;
  if (appliedAtMs < changedAtMs - CLOCK_SKEW_MS_MAX) return null;
  if (appliedAtMs > receivedAtMs + CLOCK_SKEW_MS_MAX) return null;
  return Math.max(0, Math.min(appliedAtMs, receivedAtMs) - changedAtMs);
}

/** The bucket of a latency: its upper bound. */
export function propagationBucket(latencyMs: number): number {
  return PROPAGATION_BOUNDS_MS.find((bound) => latencyMs <= bound) ?? PROPAGATION_BEYOND_MS;
}

/**
 * The latency that a share `q` (0 to 1) of all samples did not exceed, ms, taken as even within a bucket; null without
 * samples. Beyond the last bound it is that bound: "at least". `samples`: by bucket (`propagationBucket`).
 */
export function propagationQuantile(samples: ReadonlyMap<number, number>, q: number): number | null {
  const total = [...samples.values()].reduce((sum, n) => sum + n, 0);
  if (total === 0) return null;
  const rank = q * total;
  let below = 0;
  let lower = 0;
  for (const bound of PROPAGATION_BOUNDS_MS) {
    const here = samples.get(bound) ?? 0;
    if (here > 0 && below + here >= rank) {
      return Math.round(lower + ((bound - lower) * Math.max(0, rank - below)) / here);
    }
    below += here;
    lower = bound;
  }
  return lower;
}
