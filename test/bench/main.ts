import { cpus, release, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { type Figure, formatTable } from "./figures.ts";
import { benchEdge } from "./edge.ts";
import { benchFailover } from "./failover.ts";
import { benchGrowth } from "./growth.ts";
import { benchMatch } from "./match.ts";
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
};

const { values, positionals } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    /** One short run of each case: to see that it works. */
    quick: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
const unknown = names.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(`no benchmark named ${unknown.join(", ")}; there are: ${Object.keys(BENCHES).join(", ")}`);
  process.exit(2);
}
// An exit, unlike a signal, lets those who started processes end them.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const memoryGiB = Math.round(totalmem() / 2 ** 30);
console.error(
  `${cpus().length} x ${cpus()[0]?.model ?? "cpu"}, ${memoryGiB} GiB, Linux ${release()}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`,
);
for (const name of names) {
  const figures = await BENCHES[name]!({ quick: values.quick });
  if (values.json) for (const f of figures) console.log(JSON.stringify(f));
  else console.log(formatTable(figures));
}
