/** One cluster through many storms and calms, to see whether memory grows. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { runRound, SeedFailure } from "./run-seed.ts";
import { World } from "./world.ts";

const HOUR_MS = 3_600_000;
const MEBIBYTE = 1024 * 1024;
/** Half a virtual hour between two lines. */
const SAY_EVERY_MS = HOUR_MS / 2;

export interface HeapAt {
  virtualMs: number;
  heapBytes: number;
  entries: number;
  nodesEver: number;
  processes: number;
}

/** Throws `SeedFailure`. */
export async function runHours(options: {
  seed: number;
  hours: number;
  keys: number;
  onHeap: (at: HeapAt) => void;
}): Promise<void> {
  const world = new World(options.seed, { isTracing: false, keys: options.keys });
  const collect = collector();
  let nextMs = 0;
  try {
    for (const node of world.nodes) node.start();
    while (world.time.nowMs() < options.hours * HOUR_MS) {
      await runRound(world);
      world.prune();
      const virtualMs = world.time.nowMs();
      if (virtualMs < nextMs) continue;
      nextMs = virtualMs + SAY_EVERY_MS;
      collect();
      options.onHeap({
        virtualMs,
        heapBytes: process.memoryUsage().heapUsed + process.memoryUsage().external,
        entries: world.ledger.lastIndex(),
        nodesEver: world.nodesEver(),
        processes: world.processes,
      });
    }
  } catch (error) {
    throw new SeedFailure(options.seed, world, error instanceof Error ? error : new Error(String(error)));
  }
}

/** A full collection, so that what is counted is what is held. */
function collector(): () => void {
  setFlagsFromString("--expose_gc");
  return runInNewContext("gc") as () => void;
}

export const mebibytes = (bytes: number): string => (bytes / MEBIBYTE).toFixed(1);
