/** `npm run sim -- --seeds N [--seed S]`: runs N seeds from S on, or from 1; on failure says which seed to run again. */
import { parseArgs } from "node:util";
import { runSeed } from "./run-seed.ts";

const SEEDS_DEFAULT = 200;

function wholeNumber(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a whole number: ${text}`);
  return value;
}

function main(): number {
  const { values } = parseArgs({ options: { seeds: { type: "string" }, seed: { type: "string" } } });
  const first = wholeNumber(values.seed, 1);
  const seeds = wholeNumber(values.seeds, values.seed === undefined ? SEEDS_DEFAULT : 1);
  const total = { events: 0, committed: 0, terms: 0, reads: 0 };
  for (let seed = first; seed < first + seeds; seed += 1) {
    try {
      const result = runSeed(seed);
      total.events += result.events;
      total.committed += result.committed;
      total.terms += result.terms;
      total.reads += result.reads;
    } catch (error) {
      console.error(`seed ${seed} failed: ${error instanceof Error ? error.stack : String(error)}`);
      console.error(`run it again: npm run sim -- --seed ${seed}`);
      return 1;
    }
  }
  const { events, committed, terms, reads } = total;
  console.log(
    `${seeds} seeds passed: ${events} events, ${committed} entries, ${terms} terms, ${reads} reads`,
  );
  return 0;
}

process.exitCode = main();
