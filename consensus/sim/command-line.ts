import { parseArgs } from "node:util";
import { MUTANTS } from "./mutants.ts";

const SEEDS_DEFAULT = 200;
const MUTANT_SEEDS_DEFAULT = 2_000;
const KEYS_DEFAULT = 1_000;

export const HELP = `The simulator of the consensus core.

  npm run sim -- --seeds N [--seed S]      runs N seeds from S on (${SEEDS_DEFAULT} from 1); a single --seed is one
  npm run sim -- --mutants [--mutant M]    runs each deliberate bug, or one, until it is caught, for up to --seeds N (${MUTANT_SEEDS_DEFAULT})
  npm run sim -- --hours H [--keys K]      runs one cluster for H virtual hours and prints the memory used
  npm run sim -- --core --seeds N          drives the core alone, over a model of the driver

docs/simulator.md says what the seeds check and names the deliberate bugs.`;

/** What is wrong with a command line, in a sentence. */
export class UsageError extends Error {}

export type SimRun =
  | { run: "help" }
  | { run: "seeds"; first: number; seeds: number; isCore: boolean }
  | { run: "mutants"; mutant: string | undefined; first: number; seedsMax: number }
  | { run: "hours"; first: number; hours: number; keys: number };

/** Throws a `UsageError` for what is no command line of the simulator. */
export function readCommandLine(args: string[]): SimRun {
  const values = parse(args);
  if (values.help === true) return { run: "help" };
  const first = wholeNumber("seed", values.seed, 1, 0);
  if (values.mutants === true || values.mutant !== undefined) {
    if (values.mutant !== undefined && !MUTANTS.some(({ name }) => name === values.mutant)) {
      throw new UsageError(
        `No deliberate bug is called ${JSON.stringify(values.mutant)}; there are: ${MUTANTS.map(({ name }) => name).join(", ")}.`,
      );
    }
    const seedsMax = wholeNumber("seeds", values.seeds, MUTANT_SEEDS_DEFAULT);
    return { run: "mutants", mutant: values.mutant, first, seedsMax };
  }
  if (values.hours !== undefined) {
    const hours = wholeNumber("hours", values.hours, 1);
    return { run: "hours", first, hours, keys: wholeNumber("keys", values.keys, KEYS_DEFAULT) };
  }
  const seeds = wholeNumber("seeds", values.seeds, values.seed === undefined ? SEEDS_DEFAULT : 1);
  return { run: "seeds", first, seeds, isCore: values.core === true };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        help: { type: "boolean", short: "h" },
        seeds: { type: "string" },
        seed: { type: "string" },
        mutants: { type: "boolean" },
        mutant: { type: "string" },
        hours: { type: "string" },
        keys: { type: "string" },
        core: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    if (!(error instanceof TypeError) || !("code" in error)) throw error;
    // Node's own words, without the hints that follow them.
    throw new UsageError(`${error.message.split(/\.?(?:\n|\. |$)/, 1)[0]}.`, { cause: error });
  }
}

/** From 1 on by default: a run of nothing would pass. */
function wholeNumber(name: string, text: string | undefined, otherwise: number, min = 1): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < 0) {
    throw new UsageError(`--${name} takes a whole number, not ${JSON.stringify(text)}.`);
  }
  if (value < min) throw new UsageError(`--${name} takes at least ${min}, not ${JSON.stringify(text)}.`);
  return value;
}
