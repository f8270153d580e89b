import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";

/** Runs the program itself with its output there; `closed`: a pipe whose reader goes before anything was written. */
async function runInto(output: "closed" | "/dev/full", ...args: string[]): Promise<[number | null, string]> {
  const stdout = output === "closed" ? "pipe" : openSync(output, "w");
  const child = spawn(join(import.meta.dirname, "conflux"), args, { stdio: ["ignore", stdout, "pipe"] });
  child.stdout?.destroy();
  const ended = new Promise<number | null>((done) => child.once("close", done));
  const said = child.stderr === null ? "" : await text(child.stderr);
  const code = await ended;
  if (typeof stdout === "number") closeSync(stdout);
  return [code, said];
}

it("U3 conflux ends as it would have when its reader has read enough", async () => {
  expect(await runInto("closed", "cluster", "--help")).toEqual([0, ""]);
});

it("U3 conflux says in one line that its output cannot be written, and fails", async () => {
  expect(await runInto("/dev/full", "cluster", "--help")).toEqual([
    1,
    "conflux: the output cannot be written: no space left on device\n",
  ]);
});
