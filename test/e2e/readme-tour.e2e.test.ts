import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Stack, startStack } from "../testing/stack.ts";

const TOUR_MS_MAX = 60_000;
let stack: Stack;
let cwd: string;

beforeAll(async () => {
  stack = await startStack();
  // The tour reads `.conflux/dev.json` of the folder it is typed in.
  cwd = mkdtempSync(join(tmpdir(), "conflux-tour-"));
  symlinkSync(stack.place.dataDir, join(cwd, ".conflux"));
});
afterAll(async () => {
  await stack.stop();
  rmSync(cwd, { recursive: true });
});

/** The commands of the tour with what each must print, from its `# => text` lines. */
function readTour(): { script: string; expectations: { line: string; text: string }[] } {
  const readme = readFileSync("README.md", "utf8");
  const tour = readme.slice(readme.indexOf("<!-- tour: begin -->"), readme.indexOf("<!-- tour: end -->"));
  const script: string[] = [];
  const expectations: { line: string; text: string }[] = [];
  for (const [, block] of tour.matchAll(/```bash\n([\s\S]*?)```/g)) {
    for (const line of block!.trimEnd().split("\n")) {
      if (!line.startsWith("# => ")) {
        script.push(line);
        continue;
      }
      // A marker in the output shows where the command before it had ended.
      script.push(`printf '\\n@@%s\\n' ${expectations.length}`);
      expectations.push({ line: script.at(-2) ?? "", text: line.slice(5) });
    }
  }
  return { script: script.join("\n"), expectations };
}

it("U7 the tour of the README runs line by line and prints what it says", () => {
  const { script, expectations } = readTour();
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
});
