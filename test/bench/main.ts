import { cpus, release, totalmem } from "node:os";
import { readCommandLine, UsageError } from "../testing/command-line.ts";
import { type Figure, formatTable } from "./figures.ts";
import { benchAdmin } from "./admin.ts";
import { benchEdge } from "./edge.ts";
import { benchFailover } from "./failover.ts";
import { benchGrowth } from "./growth.ts";
import { benchMatch } from "./match.ts";
import { benchPostgresAway } from "./postgres-away.ts";
import { benchPropagation } from "./propagation.ts";
import { benchRaft } from "./raft.ts";
import { benchWatch } from "./watch.ts";

/** Every benchmark by name; each answers its figures, peers included. */
const BENCHES: Record<string, (options: { quick: boolean }) => Promise<Figure[]>> = {
  propagation: benchPropagation,
  failover: benchFailover,
  match: benchMatch,
  raft: benchRaft,
  edge: benchEdge,
  growth: benchGrowth,
  watch: benchWatch,
  admin: benchAdmin,
  "postgres-away": benchPostgresAway,
};

const HELP = `The benchmarks, a table with peers side by side.

  npm run bench -- [NAME ...] [--json] [--quick]

  NAME      ${Object.keys(BENCHES).join(", ")}; without a name all of them
  --json    a line a figure instead of tables
  --quick   one short run of each case: to see that it works
`;

const { names, json, quick } = readCommandLine(
  {
    options: { json: { type: "boolean", default: false }, quick: { type: "boolean", default: false } },
    allowPositionals: true,
  },
  HELP,
  ({ values, positionals }) => {
    const unknown = positionals.filter((name) => !Object.hasOwn(BENCHES, name));
    if (unknown.length > 0) throw new UsageError(`There is no benchmark named ${unknown.join(", ")}.`);
    return { ...values, names: positionals.length > 0 ? positionals : Object.keys(BENCHES) };
  },
);
// An exit, unlike a signal, lets those who started processes end them.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const memoryGiB = Math.round(totalmem() / 2 ** 30);
console.error(
  `${cpus().length} x ${cpus()[0]?.model ?? "cpu"}, ${memoryGiB} GiB, Linux ${release()}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`,
);
for (const name of names) {
  const figures = await BENCHES[name]!({ quick });
  if (json) for (const f of figures) console.log(JSON.stringify(f));
  else console.log(formatTable(figures));
}
