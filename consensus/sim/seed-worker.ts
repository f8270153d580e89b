/** A worker thread that runs the seeds it is told, one after the other, with or without a deliberate bug. */
import { parentPort, workerData } from "node:worker_threads";
import { applyMutant } from "./apply-mutant.ts";
import { MUTANTS } from "./mutants.ts";

export type SeedAnswer =
  | { seed: number; ok: true; figures: Record<string, number> }
  | { seed: number; ok: false; message: string; report: string };

const { mutant: name, isCore } = workerData as { mutant: string | null; isCore: boolean };
const mutant = MUTANTS.find((one) => one.name === name);
if (mutant !== undefined) applyMutant(mutant);
// Loaded only now, so that the mutant is in it.
const { runSeed, SeedFailure } = await import("./run-seed.ts");
const { runCoreSeed } = await import("./core/run-seed.ts");

async function answer(seed: number): Promise<SeedAnswer> {
  try {
    if (isCore) return { seed, ok: true, figures: { ...runCoreSeed(seed) } };
    const { seed: _seed, hash: _hash, faults, ...figures } = await runSeed(seed);
    return { seed, ok: true, figures: { ...figures, ...faults } };
  } catch (error) {
    if (name !== null || isCore) return { seed, ok: false, message: textOf(error), report: "" };
    // The same again, with a trace: it must fail the same.
    const again = await runSeed(seed, { isTracing: true }).catch((second: unknown) => second);
    const report =
      again instanceof SeedFailure
        ? again.report
        : "run again, the seed did not fail: a run is not repeatable";
    return { seed, ok: false, message: textOf(error), report };
  }
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `\n${error.cause.stack ?? ""}` : "";
  return `${error.message}${cause}`;
}

parentPort?.on("message", (seed: number) => {
  void answer(seed).then((given) => parentPort?.postMessage(given, []));
});
