/** Runs many seeds on all processors: which thread runs a seed makes no difference to it. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { SeedAnswer } from "./seed-worker.ts";

const WORKERS_MAX = 8;

export interface SeedsOptions {
  first: number;
  seeds: number;
  mutant: string | null;
  /** Of the core alone. */
  isCore?: boolean;
  workers?: number;
  onAnswer?: (answer: SeedAnswer) => void;
}

type Failed = Extract<SeedAnswer, { ok: false }>;

/** Answers the failure of the lowest seed that failed among those run, or null; no new ones are begun after one. */
export async function runSeeds(options: SeedsOptions): Promise<Failed | null> {
  const { first, seeds, mutant, isCore = false } = options;
  const count = Math.min(options.workers ?? availableParallelism(), seeds, WORKERS_MAX);
  const failures: Failed[] = [];
  let next = first;
  const runWorker = async (): Promise<void> => {
    const worker = new Worker(new URL("./seed-worker.ts", import.meta.url), {
      workerData: { mutant, isCore },
    });
    try {
      while (failures.length === 0 && next < first + seeds) {
        const seed = next;
        next += 1;
        const answer = await ask(worker, seed);
        options.onAnswer?.(answer);
        if (!answer.ok) failures.push(answer);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: count }, runWorker));
  return failures.toSorted((a, b) => a.seed - b.seed)[0] ?? null;
}

function ask(worker: Worker, seed: number): Promise<SeedAnswer> {
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (answer: SeedAnswer) => {
      worker.off("error", reject);
      resolve(answer);
    });
    worker.postMessage(seed, []);
  });
}
