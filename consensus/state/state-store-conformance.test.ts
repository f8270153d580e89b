import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AnyStateStore, createMemoryStateStore } from "./memory-state-store.testing.ts";
import { describeStateStore } from "./state-store-conformance.testing.ts";
import { StateStore, type StateStoreOptions } from "./state-store.ts";

describeStateStore("in memory", () => ({
  create: (options) => createMemoryStateStore({ clusterId: "c1", ...options }),
  reopen: (store) => store,
  cleanUp: () => undefined,
}));

for (const journal of ["wal", "truncate"] as const) {
  describeStateStore(`SQLite on disk (${journal})`, () => {
    const directory = mkdtempSync(join(tmpdir(), "conflux-state-store-"));
    const settings = new Map<AnyStateStore, StateStoreOptions>();
    const open = (options: StateStoreOptions): StateStore => {
      const store = new StateStore(options);
      settings.set(store, options);
      return store;
    };
    return {
      create: (options) =>
        open({ path: join(directory, `${settings.size}.db`), clusterId: "c1", journal, ...options }),
      reopen: (store) => {
        store.close();
        return open(settings.get(store)!);
      },
      cleanUp: () => rmSync(directory, { recursive: true, force: true }),
    };
  });
}
