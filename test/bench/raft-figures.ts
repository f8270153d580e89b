import { type Figure, figure, quantile } from "./figures.ts";
import type { Measurement } from "./load-process.ts";
import type { LoadInterface, Operation } from "./raft-load-plan.ts";

export interface RaftCase {
  name: string;
  operation: Operation;
  valueBytes: number;
  clients: number;
}
/** What was measured for one case through one interface, a value a run. */
export interface Series {
  case: RaftCase;
  via: LoadInterface;
  runs: Measurement[];
}

const perSecond = ({ operations, durationMs }: Measurement): number => (operations / durationMs) * 1000;

/** Figures of all series; of etcd's two interfaces only the one with the higher median rate, case by case. */
export function raftFigures(series: readonly Series[]): Figure[] {
  const cases = [...new Set(series.map((one) => one.case))];
  return cases.flatMap((raftCase) => {
    const ofCase = series.filter((one) => one.case === raftCase);
    const ours = ofCase.filter(({ via }) => via === "conflux" || via === "core");
    const medianRate = (one: Series): number => quantile(one.runs.map(perSecond), 0.5);
    const [best] = ofCase
      .filter(({ via }) => via.startsWith("etcd"))
      .toSorted((a, b) => medianRate(b) - medianRate(a));
    return [...ours, ...(best === undefined ? [] : [best])].flatMap(figuresOf);
  });
}

function figuresOf({ case: { name, operation }, via, runs }: Series): Figure[] {
  const system = via.startsWith("etcd") ? "etcd" : "conflux";
  const one = (metric: string, unit: string, value: (m: Measurement) => number): Figure =>
    figure({ bench: "raft", case: name, system, metric, unit }, runs.map(value));
  const isRead = operation.startsWith("read");
  return [
    one(isRead ? "reads_per_s" : "writes_per_s", isRead ? "reads/s" : "writes/s", perSecond),
    one("p50_ms", "ms", (m) => m.p50Ms),
    one("p99_ms", "ms", (m) => m.p99Ms),
    one("nodes_cpu_us", "µs/operation", (m) => m.serverCpuUsPerOperation),
  ];
}
