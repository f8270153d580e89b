import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStateStore } from "./memory-state-store.testing.ts";
import { describeStateStore } from "./state-store-conformance.testing.ts";
import { StateStore } from "./state-store.ts";

describeStateStore("in memory", () => ({
  create: (options) => createMemoryStateStore({ clusterId: "c1", ...options }),
  cleanUp: () => undefined,
}));

for (const journal of ["wal", "truncate"] as const) {
  describeStateStore(`SQLite on disk (${journal})`, () => {
    const directory = mkdtempSync(join(tmpdir(), "conflux-state-store-"));
    let serial = 0;
    return {
      create: (options) => {
        serial += 1;
        return new StateStore({
          path: join(directory, `${serial}.db`),
          clusterId: "c1",
          journal,
          ...options,
        });
      },
      cleanUp: () => rmSync(directory, { recursive: true, force: true }),
    };
  });
}
