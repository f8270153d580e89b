import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MUTANTS, mutate } from "./mutants.ts";
import { runSeeds } from "./run-seeds.ts";

/** Of those that few seeds catch, one of each kind; all of them: `npm run sim -- --mutants` (docs/simulator.md). */
const QUICK = ["stale-read", "no-fsync", "vote-not-persisted", "no-dedupe", "second-process-allowed"];
const SEEDS_MAX = 40;

describe("R16 deliberate bugs", () => {
  it.each(MUTANTS)("R16 $name changes a text that is there once", (mutant) => {
    const source = readFileSync(join(import.meta.dirname, "..", mutant.file), "utf8");
    expect(mutate(mutant, source)).not.toBe(source);
  });

  it("R16 have names of their own", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });

  it("R16 a mutant whose text is gone is an error, not a survivor", () => {
    const [mutant] = MUTANTS;
    expect(() => mutate(mutant!, "something else")).toThrow(`mutant ${mutant?.name}: not once`);
  });

  it.each(QUICK)(
    "R16 %s is caught",
    async (mutant) => {
      const failure = await runSeeds({ first: 1, seeds: SEEDS_MAX, mutant });
      expect(failure?.message).toBeDefined();
    },
    120_000,
  );
});
