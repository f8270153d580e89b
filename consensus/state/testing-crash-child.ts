import { createEntry } from "./testing-entries.ts";
import { StateStore } from "./state-store.ts";

/**
 * Applies batches of three without end and says after each how far it is, and how far it is settled; the crash test kills it. Of
 * the transactions some end by a call and some by themselves.
 */
const SETTLES_EVERY = 7;
const BY_CALL_BATCHES = 40;

const [path = "", journal] = process.argv.slice(2);
const store = new StateStore({ path, clusterId: "c1", journal: journal === "truncate" ? "truncate" : "wal" });
let settled = store.lastApplied();
for (let batch = 1; ; batch += 1) {
  const next = store.lastApplied() + 1;
  store.apply([0, 1, 2].map((i) => createEntry(next + i, `n${next + i}`, `{"n":${next + i}}`)));
  if (batch < BY_CALL_BATCHES && batch % SETTLES_EVERY === 0) {
    store.settle();
    settled = store.lastApplied();
  }
  process.stdout.write(`${store.lastApplied()} ${settled}\n`);
}
