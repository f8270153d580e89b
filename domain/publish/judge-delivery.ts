import type { DeliveryReportsGate, GateOutcome } from "./publish-gate.ts";

/** Clients whose newest report was of a kind, and those of them that rejected the version or had an error with it. */
export interface ReportCounts {
  clients: number;
  failing: number;
}
export interface DeliveryCounts {
  /** Clients whose newest report is of the plan's version: also those that rejected it and run another one. */
  withVersion: ReportCounts;
  others: ReportCounts;
}

/**
 * Compares how often clients fail with a version and without it (P5): the difference of the two rates, in percentage
 * points, against what the gate allows. Fewer than `sample_min` clients with the version: it waits. Fewer of the others: they
 * count as if none failed, so that a handful of them excuses nothing.
 */
export function judgeDelivery(
  { max_error_percent, sample_min }: Pick<DeliveryReportsGate, "max_error_percent" | "sample_min">,
  { withVersion, others }: DeliveryCounts,
): GateOutcome {
  if (withVersion.clients < sample_min) {
    return { verdict: "waits", reason: `${withVersion.clients} of ${sample_min} clients have reported` };
  }
  const withRate = percentOf(withVersion);
  const otherRate = others.clients < sample_min ? 0 : percentOf(others);
  if (withRate - otherRate <= max_error_percent) return { verdict: "holds" };
  const told = `${withRate.toFixed(1)} % of ${withVersion.clients} clients fail with the version`;
  const against = `${otherRate.toFixed(1)} % of ${others.clients} without it`;
  return { verdict: "fails", reason: `${told}, ${against}; allowed are ${max_error_percent} points more` };
}

function percentOf({ clients, failing }: ReportCounts): number {
  return (failing / clients) * 100;
}
