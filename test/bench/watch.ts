import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Figure, figure, quantile } from "./figures.ts";
import { cpuUs, residentMib } from "./load-process.ts";
import type { WatchLoadMessage, WatchLoadPlan, WatchLoadResult } from "./watch-load-plan.ts";
import { startBareObject, startConflux, startEtcd, type WatchSystem } from "./watch-systems.ts";

const CHILD = join(import.meta.dirname, "watch-load-child.ts");
const RUNS = 3;
const WARMUPS = 3;
/** Watchers, and how many changes are timed in a run. */
const CASES = [
  { watchers: 1, changes: 100 },
  { watchers: 1_000, changes: 30 },
  { watchers: 10_000, changes: 15 },
];
/** A watch of etcd's costs its npm client far more than a socket costs ours. */
const ETCD_WATCHERS_MAX = 1_000;
const RECONNECT_WATCHERS_MIN = 1_000;
const KIB_PER_MIB = 1024;

interface Run extends WatchLoadResult {
  /** Memory of the process that holds the connections, less what it had before them. */
  kibPerWatcher: number;
  /** Processor time of that process, a change and watcher. */
  cpuUsPerDelivery: number;
}

/**
 * How long after it is published a change has reached the last of all watchers, the commit in three core nodes included,
 * beside an object that only sends and beside etcd; and how long it takes all to come back at once.
 */
export async function benchWatch({ quick }: { quick: boolean }): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "conflux-bench-watch-"));
  const figures: Figure[] = [];
  const starts = [startConflux, startBareObject, startEtcd];
  try {
    for (const { watchers, changes } of CASES) {
      const runs = new Map<string, Run[]>();
      for (let run = 0; run < (quick ? 1 : RUNS); run += 1) {
        for (const [i, start] of starts.entries()) {
          if (start === startEtcd && watchers > ETCD_WATCHERS_MAX) continue;
          const system = await start(join(directory, `${watchers}-${run}-${i}`), watchers);
          if (system === null) continue;
          const result = await measure(system, watchers, quick ? Math.ceil(changes / 5) : changes);
          runs.set(system.name, [...(runs.get(system.name) ?? []), result]);
        }
      }
      for (const [system, results] of runs) figures.push(...figuresOf(watchers, system, results));
    }
    return figures;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(system: WatchSystem, watchers: number, changes: number): Promise<Run> {
  try {
    // Of ours alone: the bare object's process resets connections when 10,000 come back at once.
    const reconnects = watchers >= RECONNECT_WATCHERS_MIN && system.name === "conflux";
    return await runLoad(system, { ...system.plan, watchers, changes, warmups: WARMUPS, reconnects });
  } finally {
    await system.stop();
  }
}

function runLoad({ name, pids }: WatchSystem, plan: WatchLoadPlan): Promise<Run> {
  const child = fork(CHILD, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const memory = (): number => residentMib(pids).reduce((sum, mib) => sum + mib, 0);
  const beforeMib = memory();
  let withAllMib = beforeMib;
  let startUs = 0;
  let usedUs = 0;
  return new Promise((resolve, reject) => {
    child.on("message", (message: WatchLoadMessage) => {
      if (message.type === "failed")
        reject(new Error(`${name}, ${plan.watchers} watchers: ${message.reason}`));
      else if (message.type === "connected") {
        withAllMib = memory();
        startUs = cpuUs(pids);
        child.send("go");
      } else if (message.type === "told") usedUs = cpuUs(pids) - startUs;
      else {
        const kibPerWatcher = ((withAllMib - beforeMib) * KIB_PER_MIB) / plan.watchers;
        const cpuUsPerDelivery = usedUs / (plan.watchers * (plan.changes + plan.warmups));
        resolve({ ...message.result, kibPerWatcher, cpuUsPerDelivery });
      }
    });
    child.on("exit", (code) => reject(new Error(`the load generator ended with code ${code}`)));
    child.send(plan);
  });
}

function figuresOf(watchers: number, system: string, runs: readonly Run[]): Figure[] {
  const of = (metric: string, unit: string, values: readonly number[]): Figure =>
    figure({ bench: "watch", case: `${watchers} sockets`, system, metric, unit }, values);
  const last = (q: number): number[] => runs.map((run) => quantile(run.lastDeliveryMs, q));
  const figures = [of("last_delivery_p50_ms", "ms", last(0.5)), of("last_delivery_p99_ms", "ms", last(0.99))];
  if (watchers === 1) return figures;
  figures.push(
    of(
      "memory_kib_per_socket",
      "KiB",
      runs.map((run) => run.kibPerWatcher),
    ),
  );
  figures.push(
    of(
      "cpu_us_per_delivery",
      "µs",
      runs.map((run) => run.cpuUsPerDelivery),
    ),
  );
  const reconnects = runs.flatMap(({ reconnectMs }) => reconnectMs ?? []);
  if (reconnects.length > 0) figures.push(of("reconnect_all_ms", "ms", reconnects));
  return figures;
}
