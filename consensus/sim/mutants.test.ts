import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { filesOf, type Mutant, mutate } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { runSeeds } from "./run-seeds.ts";

/** Of those that few seeds catch, one of each kind; all of them: `npm run sim -- --mutants` (docs/simulator.md). */
const QUICK = [
  "stale-read",
  "read-before-applied",
  "no-fsync",
  "vote-not-persisted",
  "no-dedupe",
  "second-process-allowed",
  "truncation-without-conflict",
  "late-heartbeat-serves-newer-read",
  "change-before-own-commit",
];
const SEEDS_MAX = 40;

describe("R16 deliberate bugs", () => {
  it.each(MUTANTS)("R16 $name changes texts that are there once", (mutant) => {
    for (const file of filesOf(mutant)) {
      const source = readFileSync(join(import.meta.dirname, "..", file), "utf8");
      expect(mutate(mutant, file, source)).not.toBe(source);
    }
  });

  it("R16 each edit changes the text as it was, not what another edit has put in", () => {
    const edits = [
      { file: "a.ts", find: "first();", replace: "second();first();" },
      { file: "a.ts", find: "\nsecond();", replace: "" },
      { file: "b.ts", find: "third();", replace: "" },
    ];
    const mutant: Mutant = { name: "two", what: "two edits of a file", caughtBy: "whole", edits };
    expect(mutate(mutant, "a.ts", "\nfirst();\nsecond();\n")).toBe("\nsecond();first();\n");
  });

  it("R16 have names of their own", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });

  it("R16 a mutant whose text is gone is an error, not a survivor", () => {
    const [mutant] = MUTANTS;
    expect(() => mutate(mutant!, mutant!.edits[0]!.file, "something else")).toThrow(
      `mutant ${mutant?.name}: not once`,
    );
  });

  it.each(QUICK)(
    "R16 %s is caught",
    async (mutant) => {
      const isCore = MUTANTS.find(({ name }) => name === mutant)?.caughtBy === "core";
      const failure = await runSeeds({ first: 1, seeds: SEEDS_MAX, mutant, isCore });
      expect(failure?.message).toBeDefined();
    },
    120_000,
  );
});
