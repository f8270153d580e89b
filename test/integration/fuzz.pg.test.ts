import { afterAll, beforeAll, expect, test } from "vitest";
import { type FuzzWorld, makeFuzzWorld } from "../fuzz/fuzz-world.ts";
import { runFuzz } from "../fuzz/run-fuzz.ts";

const REQUESTS = 2_000;
const SEED = 2026;

let world: FuzzWorld;
beforeAll(async () => {
  world = await makeFuzzWorld();
});
afterAll(() => world.close());

test("A4 random requests to every operation: no 5xx, no hang, no change by a refusal, nothing of another tenant", async () => {
  const report = await runFuzz(world, { seed: SEED, requests: REQUESTS });
  expect(report.violations).toEqual([]);
  expect(report.requests).toBe(REQUESTS);
  // That it went through the doors and did not only knock: many succeed, and few operations never do.
  const succeeded = Object.entries(report.byStatus).filter(([status]) => status < "300");
  expect(succeeded.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThan(REQUESTS / 10);
  expect(report.neverOk.length).toBeLessThan(report.operations / 2);
}, 120_000);
