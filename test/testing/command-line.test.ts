import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

function run(program: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const root = join(import.meta.dirname, "../..");
  return spawnSync(process.execPath, [program, ...args], { cwd: root, encoding: "utf8" });
}

describe.each([
  { program: "test/bench/main.ts", usage: "npm run bench -- [NAME ...]" },
  { program: "test/chaos/main.ts", usage: "npm run chaos -- [--minutes 10]" },
])("the command line of $program", ({ program, usage }) => {
  it("prints how it is used when asked", () => {
    const { status, stdout, stderr } = run(program, "--help");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain(usage);
  });

  it("says what is wrong in a sentence, and how it is used", () => {
    const { status, stdout, stderr } = run(program, "--nope");
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^Unknown option '--nope'\.\n\n/);
    expect(stderr).toContain(usage);
    expect(stderr).not.toContain("    at ");
  });
});

it("a benchmark that is not there is named", () => {
  const { status, stderr } = run("test/bench/main.ts", "match", "nope");
  expect(status).toBe(2);
  expect(stderr).toMatch(/^There is no benchmark named nope\.\n\n/);
});

it("a number that is none is named", () => {
  const { status, stderr } = run("test/chaos/main.ts", "--clients", "-0.5");
  expect(status).toBe(2);
  expect(stderr).toContain("--clients");
});
