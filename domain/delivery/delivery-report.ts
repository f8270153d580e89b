import type { IndexPosition } from "./index-token.ts";

/** What a client did with a version: took it, refused it (its own validation), or failed with it. */
export const REPORT_STATES = ["applied", "rejected", "error"] as const;
export type ReportState = (typeof REPORT_STATES)[number];

/** Where a report stands among those of one client on one config. */
export interface ReportPlace {
  /** Of the fetch that gave the version; null when it bore no index that we signed. */
  position: IndexPosition | null;
  /** The client's clock, never later than when it was received (`reportTimeMs`). */
  reported_at_ms: number;
}

/**
 * Whether `a` is newer than `b`. A report with an index that we signed is newer than any without: what was served counts for
 * more than what is claimed. In one cluster the log decides, since what a client reads never goes back there; the client's
 * clock decides between reports of one index, and where there is no common log. Equal ones are not newer.
 */
export function isNewerReport(a: ReportPlace, b: ReportPlace): boolean {
  const [p, q] = [a.position, b.position];
  if ((p === null) !== (q === null)) return p !== null;
  if (p !== null && q !== null && p.cluster_id === q.cluster_id) {
    if (p.epoch !== q.epoch) return p.epoch > q.epoch;
    if (p.index !== q.index) return p.index > q.index;
  }
  return a.reported_at_ms > b.reported_at_ms;
}

/** When a report was made: what the client says, but not after it arrived, or a fast clock would win for ever. */
export function reportTimeMs(atMs: number, receivedAtMs: number): number {
  return Math.min(atMs, receivedAtMs);
}
