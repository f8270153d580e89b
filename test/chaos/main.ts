/** `npm run chaos`: see docs/chaos.md. */
import { cpus, loadavg, release, totalmem } from "node:os";
import { readCommandLine, UsageError } from "../testing/command-line.ts";
import { runChaos } from "./run-chaos.ts";

const HELP = `Random faults under clients that read and writers that release, on a stack of its own.

  npm run chaos -- [--minutes 10] [--clients 1000] [--processes 2] [--poll-ms 1500] [--seed N]

  --minutes    how long faults go on; every minute all heals and clients must converge
  --clients    half of them watch, half of them poll
  --processes  that the clients live in
  --poll-ms    mean time between two polls of a client
  --seed       of faults, rules and clients; when things happen is up to the machine

Ends with 1 when a client went back in index, was given what no rule gave it, or does not hold its newest version.
`;

type Name = "minutes" | "clients" | "processes" | "poll-ms" | "seed";

/** A positive number. Throws a `UsageError` for anything else. */
function positive(values: Record<Name, string>, name: Name, isWhole = true): number {
  const value = Number(values[name]);
  if (value > 0 && value < Infinity && (!isWhole || Number.isSafeInteger(value))) return value;
  throw new UsageError(
    `--${name} must be a positive ${isWhole ? "whole " : ""}number, not "${values[name]}".`,
  );
}

const options = readCommandLine(
  {
    options: {
      minutes: { type: "string", default: "10" },
      clients: { type: "string", default: "1000" },
      processes: { type: "string", default: "2" },
      "poll-ms": { type: "string", default: "1500" },
      seed: { type: "string", default: String((Date.now() % 1_000_000) + 1) },
    },
  },
  HELP,
  ({ values }) => ({
    seconds: positive(values, "minutes", false) * 60,
    clients: positive(values, "clients"),
    processes: positive(values, "processes"),
    pollMs: positive(values, "poll-ms"),
    seed: positive(values, "seed"),
  }),
);
const startMs = performance.now();
const controller = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort());
const memoryGiB = Math.round(totalmem() / 2 ** 30);
console.log(
  `${cpus().length} x ${cpus()[0]?.model ?? "cpu"}, ${memoryGiB} GiB, Linux ${release()}, Node ${process.version}, ` +
    `load ${loadavg()[0]?.toFixed(1)}, ${new Date().toISOString().slice(0, 10)}\n${JSON.stringify(options)}`,
);
const report = await runChaos({
  ...options,
  signal: controller.signal,
  say: (line) => console.error(`${((performance.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${line}`),
});
const { counts, faults, writes, convergedAfterMs, violations } = report;
const rows = (of: Record<string, number>): string[] =>
  Object.entries(of)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, n]) => `  ${name.padEnd(34)}${n}`);
console.log(["clients", ...rows(counts), "writers", ...rows(writes), "faults", ...rows(faults)].join("\n"));
const times = convergedAfterMs.map((ms) => (ms === null ? "never" : `${ms} ms`)).join(", ");
console.log(
  `Every client held its newest version so long after the last fault and the last write of a round: ${times}`,
);
for (const violation of violations) console.log(`VIOLATION ${violation}`);
console.log(violations.length === 0 ? "No violation." : `${violations.length} violations are shown above.`);
process.exit(violations.length === 0 ? 0 : 1);
