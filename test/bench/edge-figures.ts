import type { EdgeCase } from "./edge-cases.ts";
import type { EdgeTarget } from "./edge-systems.ts";
import { type Figure, figure } from "./figures.ts";
import type { Measurement } from "./load-process.ts";

/** What was measured of one system in one case, a value a run. */
export interface EdgeSeries {
  case: EdgeCase;
  system: EdgeTarget["system"];
  /** As fast as answers came. */
  saturation: Measurement[];
  /** At a fixed rate; empty for a case whose latency is not asked for. */
  fixedRate: Measurement[];
}

const perSecond = ({ operations, durationMs }: Measurement): number => (operations / durationMs) * 1000;

/** Rates and processor time at saturation, latency at the fixed rate. */
export function edgeFigures(all: readonly EdgeSeries[]): Figure[] {
  return all.flatMap(({ case: { name }, system, saturation, fixedRate }) => {
    const one = (metric: string, unit: string, runs: Measurement[], value: (m: Measurement) => number) =>
      runs.length === 0 ? [] : [figure({ bench: "edge", case: name, system, metric, unit }, runs.map(value))];
    return [
      ...one("requests_per_s", "requests/s", saturation, perSecond),
      ...one("cpu_us", "µs/request", saturation, (m) => m.serverCpuUsPerOperation),
      ...one("p50_ms", "ms", fixedRate, (m) => m.p50Ms),
      ...one("p99_ms", "ms", fixedRate, (m) => m.p99Ms),
    ];
  });
}

export function firstAnswerFigure(system: EdgeTarget["system"], runsMs: readonly number[]): Figure {
  return figure(
    { bench: "edge", case: "cold isolate", system, metric: "first_answer_ms", unit: "ms" },
    runsMs,
  );
}

export function progressLine({ name }: EdgeCase, system: string, m: Measurement): string {
  const cpu = `${m.serverCpuUsPerOperation.toFixed(1)} + ${m.loadCpuUsPerOperation.toFixed(1)} µs CPU a request`;
  return `${name.padEnd(26)} ${system.padEnd(10)} ${String(Math.round(perSecond(m))).padStart(6)}/s  ${cpu}`;
}
