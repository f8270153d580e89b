/** The simulator's command line; `--help` shows what there is. */
import { cpus } from "node:os";
import { HELP, readCommandLine, type SimRun, UsageError } from "./command-line.ts";
import { MUTANTS } from "./mutants.ts";
import { mebibytes, runHours } from "./run-hours.ts";
import { SeedFailure } from "./run-seed.ts";
import { runSeeds } from "./run-seeds.ts";

const SAY_EVERY_SEEDS = 500;
/** What the last quarter of a long run may hold at least, as a part of the most that the first one held. */
const HEAP_GROWTH_MAX = 1.2;

const seconds = (sinceMs: number): string => ((performance.now() - sinceMs) / 1_000).toFixed(1);

async function seedsMain(first: number, seeds: number, isCore: boolean): Promise<number> {
  const startMs = performance.now();
  const total = new Map<string, number>();
  let done = 0;
  const failure = await runSeeds({
    first,
    seeds,
    isCore,
    mutant: null,
    onAnswer: (answer) => {
      done += 1;
      const figures = answer.ok ? Object.entries(answer.figures) : [];
      for (const [name, value] of figures) total.set(name, (total.get(name) ?? 0) + value);
      if (done % SAY_EVERY_SEEDS === 0) console.log(`${done} seeds, ${seconds(startMs)} s`);
    },
  });
  if (failure !== null) {
    console.error(`${failure.report}\n\nseed ${failure.seed} failed: ${failure.message}`);
    console.error(`run it again: npm run sim -- ${isCore ? "--core " : ""}--seed ${failure.seed}`);
    return 1;
  }
  console.log(`${seeds} seeds passed in ${seconds(startMs)} s`);
  for (const [name, value] of total) console.log(`${String(value).padStart(12)}  ${name}`);
  return 0;
}

/** A row of docs/simulator.md for each, by the simulator that has to catch it. */
async function mutantsMain(name: string | undefined, first: number, seedsMax: number): Promise<number> {
  const chosen = MUTANTS.filter((mutant) => name === undefined || mutant.name === name);
  console.log(
    `${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}, ${new Date().toISOString()}\n`,
  );
  console.log("| deliberate bug | runs | seeds until caught | how it shows |\n|---|---|---|---|");
  let survivors = 0;
  for (const mutant of chosen) {
    const isCore = mutant.caughtBy === "core";
    const failure = await runSeeds({ first, seeds: seedsMax, mutant: mutant.name, isCore });
    if (failure === null) survivors += 1;
    const seeds = failure === null ? "-" : String(failure.seed - first + 1);
    const how = failure?.message.split("\n")[0]?.slice(0, 120) ?? `SURVIVED ${seedsMax} seeds`;
    const runs = isCore ? "core alone" : "whole nodes";
    console.log(`| ${mutant.name}: ${mutant.what} | ${runs} | ${seeds} | ${how} |`);
  }
  return survivors === 0 ? 0 : 1;
}

async function hoursMain(seed: number, hours: number, keys: number): Promise<number> {
  const heaps: number[] = [];
  console.log("hours     heap, MiB   entries    nodes ever   processes");
  try {
    await runHours({
      seed,
      hours,
      keys,
      onHeap: ({ virtualMs, heapBytes, entries, nodesEver, processes }) => {
        heaps.push(heapBytes);
        const columns = [
          (virtualMs / 3_600_000).toFixed(2),
          mebibytes(heapBytes),
          entries,
          nodesEver,
          processes,
        ];
        console.log(columns.map((column) => String(column).padEnd(12)).join(""));
      },
    });
  } catch (error) {
    console.error(error instanceof SeedFailure ? `${error.report}\n${error.message}` : error);
    return 1;
  }
  // What is remembered on purpose fills up in the first quarter.
  const quarter = Math.ceil(heaps.length / 4);
  const early = Math.max(...heaps.slice(0, quarter + 1));
  const late = Math.min(...heaps.slice(-quarter));
  console.log(
    `heap: at most ${mebibytes(early)} MiB in the first quarter, at least ${mebibytes(late)} in the last`,
  );
  return late > early * HEAP_GROWTH_MAX ? 1 : 0;
}

async function start(asked: SimRun): Promise<number> {
  if (asked.run === "mutants") return mutantsMain(asked.mutant, asked.first, asked.seedsMax);
  if (asked.run === "hours") return hoursMain(asked.first, asked.hours, asked.keys);
  if (asked.run === "seeds") return seedsMain(asked.first, asked.seeds, asked.isCore);
  console.log(HELP);
  return 0;
}

async function main(): Promise<number> {
  let asked: SimRun;
  try {
    asked = readCommandLine(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${HELP}`);
    return 2;
  }
  return start(asked);
}

process.exitCode = await main();
