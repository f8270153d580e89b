import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkCorePort, decideNodes } from "./core-cluster.ts";
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

test("R7 how many nodes there are is decided at the first start of a data directory, and need not be said again", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "conflux-nodes-"));
  try {
    const paths = dataPaths(dataDir);
    const start = (nodes?: string): number | string => {
      const env = { CONFLUX_DATA_DIR: dataDir, ...(nodes === undefined ? {} : { CONFLUX_NODES: nodes }) };
      try {
        return decideNodes(readSettings(env, dataDir), paths).nodes;
      } catch (error) {
        return String(error);
      }
    };
    expect([start("3"), start(), start(""), start("3")]).toEqual([3, 3, 3, 3]);
    expect(start("1")).toMatch(/holds a cluster of 3, not of 1/);
    expect(start()).toBe(3);
    remember(paths.memo, { nodes: undefined });
    expect([start(), start(), start("1")]).toEqual([1, 1, 1]);
    expect(start("3")).toMatch(/holds a cluster of 1, not of 3/);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});
