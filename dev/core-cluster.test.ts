import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkCorePort } from "./core-cluster.ts";
import { dataPaths } from "./data-directory.ts";
import { remember } from "./memo.ts";
import { readSettings } from "./settings.ts";

test("U1 a stack whose nodes know each other's addresses starts with its old ports alone", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "conflux-ports-"));
  try {
    const paths = dataPaths(dataDir);
    const start = (port: string): string => {
      const settings = readSettings({ CONFLUX_DATA_DIR: dataDir, CONFLUX_CORE_PORT: port }, dataDir);
      try {
        checkCorePort(settings, paths);
        return "starts";
      } catch (error) {
        return String(error);
      }
    };
    expect([start("7400"), start("7500")]).toEqual(["starts", "starts"]);
    remember(paths.memo, { core_port: 7400 });
    expect(start("7400")).toBe("starts");
    expect(start("7500")).toMatch(/CONFLUX_CORE_PORT=7400, not 7500/);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});
