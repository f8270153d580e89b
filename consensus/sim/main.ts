/**
 * The simulator's command line.
 *   npm run sim -- --seeds N [--seed S]      runs N seeds from S on (200 from 1); a single --seed is one
 *   npm run sim -- --mutants [--mutant M]    runs each deliberate bug, or one, until it is caught, for up to N seeds (2,000)
 *   npm run sim -- --hours H [--keys K]      runs one cluster for H virtual hours and prints the memory used
 *   npm run sim -- --core --seeds N          drives the core alone, over a model of the driver
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { MUTANTS } from "./mutants.ts";
import { mebibytes, runHours } from "./run-hours.ts";
import { SeedFailure } from "./run-seed.ts";
import { runSeeds } from "./run-seeds.ts";

const SEEDS_DEFAULT = 200;
const MUTANT_SEEDS_DEFAULT = 2_000;
const SAY_EVERY_SEEDS = 500;
const KEYS_DEFAULT = 1_000;
/** What the last quarter of a long run may hold at least, as a part of the most that the first one held. */
const HEAP_GROWTH_MAX = 1.2;

function wholeNumber(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a whole number: ${text}`);
  return value;
}

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

/** A row of docs/simulator.md for each; a bug of the core must be caught by one of the two simulators at least. */
async function mutantsMain(name: string | undefined, first: number, seedsMax: number): Promise<number> {
  const chosen = MUTANTS.filter((mutant) => name === undefined || mutant.name === name);
  if (chosen.length === 0) throw new RangeError(`no mutant is called ${name}`);
  console.log(
    `${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}, ${new Date().toISOString()}\n`,
  );
  console.log("| deliberate bug | whole nodes | core alone | how it shows |\n|---|---|---|---|");
  let survivors = 0;
  for (const mutant of chosen) {
    const run = { first, seeds: seedsMax, mutant: mutant.name };
    const core = mutant.file.startsWith("raft/") ? await runSeeds({ ...run, isCore: true }) : null;
    const whole = await runSeeds(run);
    const caught = whole ?? core;
    if (caught === null) survivors += 1;
    const seedsOf = (failure: typeof core): string =>
      failure === null ? "-" : String(failure.seed - first + 1);
    const how = caught?.message.split("\n")[0]?.slice(0, 120) ?? `SURVIVED ${seedsMax} seeds`;
    console.log(`| ${mutant.name}: ${mutant.what} | ${seedsOf(whole)} | ${seedsOf(core)} | ${how} |`);
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

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      seed: { type: "string" },
      mutants: { type: "boolean" },
      mutant: { type: "string" },
      hours: { type: "string" },
      keys: { type: "string" },
      core: { type: "boolean" },
    },
  });
  const first = wholeNumber(values.seed, 1);
  const seeds = wholeNumber(values.seeds, values.seed === undefined ? SEEDS_DEFAULT : 1);
  if (values.mutants === true || values.mutant !== undefined) {
    return mutantsMain(values.mutant, first, wholeNumber(values.seeds, MUTANT_SEEDS_DEFAULT));
  }
  if (values.hours !== undefined) {
    return hoursMain(first, wholeNumber(values.hours, 1), wholeNumber(values.keys, KEYS_DEFAULT));
  }
  return seedsMain(first, seeds, values.core === true);
}

process.exitCode = await main();
