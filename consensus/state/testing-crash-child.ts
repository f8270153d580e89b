import { createEntry } from "./testing-entries.ts";
import { StateStore } from "./state-store.ts";

/** Applies batches of three without end and says after each how far it is; the crash test kills it. */
const [path = "", journal] = process.argv.slice(2);
const store = new StateStore({ path, clusterId: "c1", journal: journal === "truncate" ? "truncate" : "wal" });
for (;;) {
  const next = store.lastApplied() + 1;
  store.apply([0, 1, 2].map((i) => createEntry(next + i, `n${next + i}`, `{"n":${next + i}}`)));
  process.stdout.write(`${store.lastApplied()}\n`);
}
