import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readTour } from "../testing/document-tour.ts";
import { type Stack, startStack } from "../testing/stack.ts";

const TOUR_MS_MAX = 60_000;
let stack: Stack;
let cwd: string;

beforeAll(async () => {
  stack = await startStack();
  // Tours read `.conflux/dev.json` of the folder they are typed in.
  cwd = mkdtempSync(join(tmpdir(), "conflux-tour-"));
  symlinkSync(stack.place.dataDir, join(cwd, ".conflux"));
});
afterAll(async () => {
  await stack.stop();
  rmSync(cwd, { recursive: true });
});

it.each([["README.md"], ["docs/configs.md"], ["docs/approvals.md"]])(
  "U7 the tour of %s runs line by line and prints what it says",
  (document) => {
    const { script, expectations } = readTour(document);
    expect(expectations.length).toBeGreaterThan(5);
    const run = spawnSync("bash", ["--norc", "-euo", "pipefail", "-c", script], {
      cwd,
      encoding: "utf8",
      timeout: TOUR_MS_MAX,
    });
    expect(run.stderr).toBe("");
    expect(run.status).toBe(0);
    for (const [i, { line, text }] of expectations.entries()) {
      const printed = run.stdout.slice(
        i === 0 ? 0 : run.stdout.indexOf(`@@${i - 1}\n`),
        run.stdout.indexOf(`\n@@${i}\n`),
      );
      expect(printed.trimEnd().split("\n").at(-1), line).toBe(text);
    }
  },
);
