import { describe, expect, it } from "vitest";
import { runSeed } from "./run-seed.ts";
import { runSeeds } from "./run-seeds.ts";

const SEEDS = 200;

describe("R16 simulator of the whole node", () => {
  it(`R16 ${SEEDS} seeds of faults lose nothing acknowledged, do nothing twice and get going again`, async () => {
    const seen = new Set<string>();
    const failure = await runSeeds({
      first: 1,
      seeds: SEEDS,
      mutant: null,
      onAnswer: (answer) => {
        if (!answer.ok) return;
        expect(answer.figures["virtualMs"]).toBeGreaterThanOrEqual(60_000);
        expect(answer.figures["writes"]).toBeGreaterThanOrEqual(500);
        for (const name of Object.keys(answer.figures)) seen.add(name);
      },
    });
    expect(failure).toBeNull();
    // Each kind of fault did strike.
    const names = [
      "clock drift",
      "crash",
      "crash at a message",
      "crash at an operation",
      "damage",
      "failed sync",
    ];
    names.push(
      "freeze",
      "freeze behind a cut",
      "full disk",
      "hand over and go deaf",
      "lost disk",
      "membership",
      "orderly stop",
      "partition",
      "power cut for all",
    );
    names.push(
      "restart behind a cut",
      "second process",
      "slow disk",
      "transfer",
      "wall clock jump",
      "weather",
    );
    expect([...seen]).toEqual(expect.arrayContaining(names));
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
