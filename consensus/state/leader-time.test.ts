import * as fc from "fast-check";
import { expect, it } from "vitest";
import { CLOCK_STEP_MAX_MS, type LastStamp, nextStampMs } from "./leader-time.ts";

it.each([
  [
    "the first stamp of a process believes its clock",
    { wallMs: 9e9, elapsedMs: 0, last: null, floorMs: 5 },
    9e9,
  ],
  ["but not below the state", { wallMs: 3, elapsedMs: 0, last: null, floorMs: 5 }, 5],
  [
    "a clock that runs is followed",
    { wallMs: 1500, elapsedMs: 500, last: { stampMs: 1000, elapsedMs: 0 }, floorMs: 0 },
    1500,
  ],
  [
    "a clock set back stands still",
    { wallMs: 10, elapsedMs: 500, last: { stampMs: 1000, elapsedMs: 0 }, floorMs: 0 },
    1000,
  ],
  [
    "a clock set far ahead steps by its bound",
    { wallMs: 9e9, elapsedMs: 500, last: { stampMs: 1000, elapsedMs: 0 }, floorMs: 0 },
    1500 + CLOCK_STEP_MAX_MS,
  ],
  [
    "a floor past the ceiling wins",
    { wallMs: 0, elapsedMs: 0, last: { stampMs: 1, elapsedMs: 0 }, floorMs: 9e9 },
    9e9,
  ],
])("R9 %s", (_name, input, expected) => {
  expect(nextStampMs(input)).toBe(expected);
});

it("R9 for any walk of the wall clock, stamps never go back and never outrun elapsed time by more than the step", () => {
  const walk = fc.array(fc.record({ wallMs: fc.nat(1e12), passedMs: fc.nat(1e6) }), { minLength: 2 });
  fc.assert(
    fc.property(walk, (steps) => {
      let last: LastStamp | null = null;
      let elapsedMs = 0;
      for (const { wallMs, passedMs } of steps) {
        elapsedMs += passedMs;
        const stampMs: number = nextStampMs({ wallMs, elapsedMs, last, floorMs: 0 });
        if (last !== null) {
          expect(stampMs).toBeGreaterThanOrEqual(last.stampMs);
          expect(stampMs - last.stampMs).toBeLessThanOrEqual(passedMs + CLOCK_STEP_MAX_MS);
        }
        last = { stampMs, elapsedMs };
      }
    }),
  );
});
