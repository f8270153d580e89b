import { describe, expect, it } from "vitest";
import { runSeed } from "./run-seed.ts";
import { runSeeds } from "./run-seeds.ts";

/** Together with the first failure's text, what makes a seed the same everywhere. */
const SEEDS = 200;

describe("R16 simulator of the whole node", () => {
  it(`R16 ${SEEDS} seeds of faults lose nothing acknowledged, do nothing twice and get going again`, async () => {
    const seen = new Map<string, number>();
    const failure = await runSeeds({
      first: 1,
      seeds: SEEDS,
      mutant: null,
      onAnswer: (answer) => {
        if (!answer.ok) return;
        const { faults, virtualMs, writes } = answer.result;
        expect(virtualMs).toBeGreaterThanOrEqual(60_000);
        expect(writes).toBeGreaterThanOrEqual(500);
        for (const [name, count] of Object.entries(faults)) seen.set(name, (seen.get(name) ?? 0) + count);
      },
    });
    expect(failure).toBeNull();
    // Each kind of fault did strike.
    expect([...seen.keys()].toSorted()).toEqual([
      "clock drift",
      "crash",
      "crash at an operation",
      "damage",
      "failed sync",
      "freeze",
      "full disk",
      "lost disk",
      "membership",
      "orderly stop",
      "partition",
      "power cut for all",
      "second process",
      "slow disk",
      "transfer",
      "wall clock jump",
      "weather",
    ]);
  }, 600_000);

  it("R16 the same seed is the same run, traced or not", async () => {
    const [once, again, traced, other] = [
      await runSeed(7),
      await runSeed(7),
      await runSeed(7, { isTracing: true }),
      await runSeed(8),
    ];
    expect(again).toEqual(once);
    expect(traced).toEqual(once);
    expect(other.hash).not.toBe(once.hash);
  });
});
