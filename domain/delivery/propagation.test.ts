import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  PROPAGATION_BEYOND_MS,
  PROPAGATION_BOUNDS_MS,
  propagationBucket,
  propagationMs,
  propagationQuantile,
} from "./propagation.ts";

describe("E16 propagation latency", () => {
  it.each([
    ["from the change to the client", 1_000, 1_300, 1_400, 300],
    ["nothing less than nothing", 1_000, 900, 1_400, 0],
    ["a clock a little ahead ends at the arrival", 1_000, 3_000, 1_400, 400],
    ["a clock far ahead says nothing", 1_000, 60_000, 1_400, null],
    ["a clock far behind says nothing", 100_000, 1_000, 101_000, null],
  ])("%s", (_, changedAtMs, appliedAtMs, receivedAtMs, expected) => {
    expect(propagationMs({ changedAtMs, appliedAtMs, receivedAtMs })).toBe(expected);
  });

  it("falls into the first bucket that holds it", () => {
    expect([0, 50, 51, 3_600_000, 3_600_001].map(propagationBucket)).toEqual([
      50,
      50,
      100,
      3_600_000,
      PROPAGATION_BEYOND_MS,
    ]);
  });

  it("has quantiles between the bounds, and none without samples", () => {
    expect(propagationQuantile(new Map(), 0.5)).toBeNull();
    const samples = new Map([
      [100, 50],
      [250, 50],
    ]);
    expect([0.5, 0.75, 1].map((q) => propagationQuantile(samples, q))).toEqual([100, 175, 250]);
    expect(propagationQuantile(new Map([[PROPAGATION_BEYOND_MS, 3]]), 0.5)).toBe(3_600_000);
  });

  it("a quantile is never further off than its bucket", () => {
    const latency = fc.integer({ min: 0, max: 3_600_000 });
    fc.assert(
      fc.property(
        fc.array(latency, { minLength: 1, maxLength: 50 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (all, q) => {
          const samples = new Map<number, number>();
          for (const ms of all)
            samples.set(propagationBucket(ms), (samples.get(propagationBucket(ms)) ?? 0) + 1);
          const rank = Math.max(1, Math.ceil(q * all.length));
          const exact = all.toSorted((a, b) => a - b)[rank - 1] ?? 0;
          const bound = propagationBucket(exact);
          const lower = PROPAGATION_BOUNDS_MS.findLast((b) => b < bound) ?? 0;
          const found = propagationQuantile(samples, q) ?? -1;
          expect(found).toBeGreaterThanOrEqual(lower);
          expect(found).toBeLessThanOrEqual(bound);
        },
      ),
    );
  });
});
