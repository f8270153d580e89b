/** `npm run fuzz`: see docs/security.md. */
import { migrateDatabase, startPostgres } from "../testing/postgres.ts";
import { readCommandLine, UsageError } from "../testing/command-line.ts";
import { makeFuzzWorld } from "./fuzz-world.ts";
import { runFuzz } from "./run-fuzz.ts";

const HELP = `Random requests to every operation of /openapi.json, as five callers of two tenants, on a Postgres of its own.

  npm run fuzz -- [--requests 20000] [--seed N]

Ends with 1 when an answer is 5xx or late, a refusal changed something, or an answer shows what is another tenant's.
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
    },
  },
  HELP,
  ({ values }) => ({
    requests: whole(values.requests, "requests"),
    seed: whole(values.seed, "seed"),
  }),
);
const server = await startPostgres();
let violations = 1;
try {
  const world = await makeFuzzWorld(await migrateDatabase(server.url, "fuzz"));
  const startMs = performance.now();
  const say = (line: string): void =>
    console.error(`${((performance.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  const report = await runFuzz(world, { ...options, say });
  await world.close();
  for (const violation of report.violations) console.log(`VIOLATION ${violation}`);
  console.log(
    JSON.stringify({ seed: options.seed, ...report, violations: report.violations.length }, null, 2),
  );
  violations = report.violations.length;
} finally {
  await server.stop();
}
process.exit(violations === 0 ? 0 : 1);
