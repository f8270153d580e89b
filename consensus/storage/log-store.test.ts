import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeFileLayer } from "./file-layer.ts";
import { describeLogStore } from "./log-store-conformance.testing.ts";
import { memoryFileLayer } from "./memory-file-layer.testing.ts";

describeLogStore("on the real file system", () => {
  const root = fs.mkdtempSync(join(tmpdir(), "conflux-log-store-"));
  return {
    files: nodeFileLayer,
    directory: join(root, "wal"),
    cleanUp: () => fs.rmSync(root, { recursive: true, force: true }),
  };
});

describeLogStore("in memory, the power cut instead of a close", () => {
  const files = memoryFileLayer();
  return { files, directory: "/wal", cutPower: () => files.cutPower(), cleanUp: () => undefined };
});
