import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HELP, readCommandLine, UsageError } from "./command-line.ts";

describe("the simulator's command line", () => {
  it.each([
    { args: [], run: { run: "seeds", first: 1, seeds: 200, isCore: false } },
    { args: ["--seed", "7"], run: { run: "seeds", first: 7, seeds: 1, isCore: false } },
    { args: ["--seed", "0"], run: { run: "seeds", first: 0, seeds: 1, isCore: false } },
    { args: ["--core", "--seeds", "9"], run: { run: "seeds", first: 1, seeds: 9, isCore: true } },
    { args: ["--mutants"], run: { run: "mutants", mutant: undefined, first: 1, seedsMax: 2_000 } },
    {
      args: ["--mutant", "no-fsync", "--seeds", "40"],
      run: { run: "mutants", mutant: "no-fsync", first: 1, seedsMax: 40 },
    },
    { args: ["--hours", "2"], run: { run: "hours", first: 1, hours: 2, keys: 1_000 } },
    { args: ["--help"], run: { run: "help" } },
    { args: ["-h", "--seeds", "x"], run: { run: "help" } },
  ])("understands $args", ({ args, run }) => {
    expect(readCommandLine(args)).toEqual(run);
  });

  it.each([
    { args: ["--bogus"], says: /^Unknown option '--bogus'\.$/ },
    { args: ["more"], says: /^Unexpected argument 'more'\.$/ },
    { args: ["--seeds"], says: /^Option '--seeds <value>' argument missing\.$/ },
    { args: ["--seed", "-5"], says: /^Option '--seed' argument is ambiguous\.$/ },
    { args: ["--core=yes"], says: /^Option '--core' does not take an argument\.$/ },
    { args: ["--seeds", "x"], says: /^--seeds takes a whole number, not "x"\.$/ },
    { args: ["--seeds", ""], says: /^--seeds takes a whole number, not ""\.$/ },
    { args: ["--mutants", "--seeds", "1.5"], says: /^--seeds takes a whole number/ },
    { args: ["--seeds", "0"], says: /^--seeds takes at least 1, not "0"\.$/ },
    { args: ["--mutants", "--seeds", "0"], says: /^--seeds takes at least 1/ },
    { args: ["--hours", "0"], says: /^--hours takes at least 1/ },
    { args: ["--hours", "1", "--keys", "0"], says: /^--keys takes at least 1/ },
    { args: ["--hours", "1", "--keys", "k"], says: /^--keys takes a whole number/ },
    { args: ["--mutant", "nosuch"], says: /^No deliberate bug is called "nosuch"; there are: .*no-fsync/ },
  ])("refuses $args in one sentence", ({ args, says }) => {
    expect(() => readCommandLine(args)).toThrow(UsageError);
    expect(() => readCommandLine(args)).toThrow(says);
  });

  it("a wrong one ends with 2, a sentence and the help, --help with 0 and the help alone", () => {
    const run = (arg: string) =>
      spawnSync(process.execPath, [join(import.meta.dirname, "main.ts"), arg], { encoding: "utf8" });
    const wrong = run("--bogus");
    expect([wrong.status, wrong.stdout, wrong.stderr]).toEqual([
      2,
      "",
      `Unknown option '--bogus'.\n\n${HELP}\n`,
    ]);
    const help = run("--help");
    expect([help.status, help.stdout, help.stderr]).toEqual([0, `${HELP}\n`, ""]);
  });
});
