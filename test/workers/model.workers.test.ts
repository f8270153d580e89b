import { beforeAll, describe, expect, it } from "vitest";
import type { ModelWorld } from "../fuzz/model-world.ts";
import { type ModelReport, runSeed } from "../fuzz/run-model.ts";
import { murmur3 } from "../fuzz/model-serve.ts";
import { makeModelWorld } from "./model-world.ts";

const SEEDS = 10;
const STEPS_MAX = 50;
const CONFIGS = ["create", "version", "rules", "rollback", "delete", "publish", "move", "batch"];
const BUNDLES = ["plan", "apply", "apply as planned", "ask apply"];
const CHANGES = ["ask rules", "ask publish", "ask batch", "edit", "approve", "reject", "withdraw", "execute"];
const OF_STATE = [
  "publish_running",
  "invalid_transition",
  "precondition_failed",
  "already_exists",
  "conflict",
];
const OF_PEOPLE = ["approval_required", "forbidden"];

describe("the admin API and the edge beside a simple model", () => {
  let world: ModelWorld;
  const report: ModelReport = { steps: 0, answers: {} };
  beforeAll(async () => {
    world = await makeModelWorld();
  });

  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
    "C1 C2 C3 C4 C5 C6 C7 C8 C12 C13 C14 K1 E1 P4 P5 P6 seed %i: every answer is the model's, and every region serves what the model says",
    async (seed) => {
      await runSeed(world, { seed, stepsMax: STEPS_MAX, report });
    },
    120_000,
  );

  it("C4 C13 C14 the sequences went through what they are to try", () => {
    const { answers } = report;
    for (const done of [...CONFIGS, ...BUNDLES, ...CHANGES]) {
      expect([done, answers[`${done} ok`] ?? 0]).toEqual([done, expect.toSatisfy((n: number) => n > 0)]);
    }
    for (const code of [...OF_STATE, ...OF_PEOPLE]) {
      expect([code, Object.keys(answers).some((answer) => answer.endsWith(` ${code}`))]).toEqual([
        code,
        true,
      ]);
    }
  });

  it("C5 the model's hash is the published one", () => {
    // Reference vectors of MurmurHash3 (x86, 32 bit).
    expect([murmur3(""), murmur3("a"), murmur3("abc"), murmur3("hello")]).toEqual([
      0, 0x3c2569b2, 0xb3dd93fa, 0x248bfa47,
    ]);
  });
});
