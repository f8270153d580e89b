import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dataPaths } from "./data-directory.ts";
import { stackTable, writeStackFile } from "./dev-json.ts";
import { readSettings } from "./settings.ts";

test("the table names what answers; dev.json has the callback_url besides, where nothing does yet", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "conflux-dev-json-"));
  try {
    const settings = { ...readSettings({ CONFLUX_DATA_DIR: dataDir }, "/"), nodes: 1 };
    const names = stackTable(settings, dataPaths(dataDir)).map((row) => row.trim().split(/ {2,}/)[0]);
    expect(names).toEqual(["edge", "admin", "API docs", "core", "data", "tokens", "logs"]);
    const path = join(dataDir, "dev.json");
    writeStackFile(path, settings, {
      tenant: "demo",
      admin_token: "a",
      client_token: "c",
      callback_secret: "whsec_x",
      pids: { supervisor: 1, core: [2], workerd: 3, workers_host: 4, lambda: 5 },
    });
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ callback_url: "http://localhost:8789" });
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});
