/** `npm run fuzz`: see docs/security.md, and docs/configs.md for `--model`. */
import { migrateDatabase, startPostgres } from "../testing/postgres.ts";
import { readCommandLine, UsageError } from "../testing/command-line.ts";
import { makeFuzzWorld } from "./fuzz-world.ts";
import { fuzzModel } from "./model-stack.ts";
import { runFuzz } from "./run-fuzz.ts";

const HELP = `Random requests to every operation of /openapi.json, as five callers of two tenants, on a Postgres of its own.

  npm run fuzz -- [--requests 20000] [--seed N]

Ends with 1 when an answer is 5xx or late, a refusal changed something, or an answer shows what is another tenant's.

  npm run fuzz -- --model [--seeds 20] [--seed N] [--steps 40]

Random sequences of admin requests on the whole stack beside a simple model, from the seed N on. Ends with 1 at the first
sequence in which an answer, or what a region serves, is not the model's, and shows the shortest one that was found.
`;

function whole(value: string, name: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new UsageError(`--${name} must be a positive whole number, not "${value}".`);
}

const options = readCommandLine(
  {
    options: {
      requests: { type: "string", default: "20000" },
      seed: { type: "string", default: String((Date.now() % 1_000_000) + 1) },
      model: { type: "boolean", default: false },
      seeds: { type: "string", default: "20" },
      steps: { type: "string", default: "40" },
    },
  },
  HELP,
  ({ values }) => ({
    requests: whole(values.requests, "requests"),
    seed: whole(values.seed, "seed"),
    model: values.model,
    seeds: whole(values.seeds, "seeds"),
    steps: whole(values.steps, "steps"),
  }),
);
const startMs = performance.now();
const say = (line: string): void =>
  console.error(`${((performance.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${line}`);

/** Whether every operation kept what was asked of it. */
async function fuzzOperations(): Promise<boolean> {
  const server = await startPostgres();
  try {
    const world = await makeFuzzWorld(await migrateDatabase(server.url, "fuzz"));
    const report = await runFuzz(world, { ...options, say });
    await world.close();
    for (const violation of report.violations) console.log(`VIOLATION ${violation}`);
    console.log(
      JSON.stringify({ seed: options.seed, ...report, violations: report.violations.length }, null, 2),
    );
    return report.violations.length === 0;
  } finally {
    await server.stop();
  }
}

const isFine = options.model ? await fuzzModel({ ...options, say }) : await fuzzOperations();
process.exit(isFine ? 0 : 1);
