import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SLICE_MS, SlidingWindow, WINDOW_MS, WINDOW_REQUESTS_MAX } from "./sliding-window.ts";

const START_MS = 1_700_000_000_000;

/** The plain definition: every granted moment in a list. */
function model() {
  const granted: number[] = [];
  return (nowMs: number, limit: number): boolean => {
    if (granted.filter((ms) => ms > nowMs - WINDOW_MS).length >= limit) return false;
    granted.push(nowMs);
    return true;
  };
}

describe("A6 the sliding window", () => {
  it("grants exactly what its definition grants, and says truly when it grants again", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 400 });
    fc.assert(
      fc.property(gaps, fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1 }), (steps, limits) => {
        const window = new SlidingWindow();
        const wanted = model();
        let nowMs = START_MS;
        for (const [i, gap] of steps.entries()) {
          nowMs += gap;
          const limit = limits[i % limits.length] ?? 0;
          const verdict = window.take(nowMs, limit);
          expect(verdict.granted).toBe(wanted(nowMs, limit));
          if (verdict.granted || limit === 0) continue;
          const again = new SlidingWindow(window.slices());
          // A kept window is at most a slice late, and never early.
          expect(again.take(nowMs + verdict.retryAfterMs - 1, limit).granted).toBe(false);
          expect(again.take(nowMs + verdict.retryAfterMs + SLICE_MS, limit).granted).toBe(true);
          // The window itself is exact: tried on a copy would be a slice late, so by the definition.
          expect(window.take(nowMs + verdict.retryAfterMs - 1, limit).granted).toBe(false);
          nowMs += verdict.retryAfterMs - 1;
        }
      }),
      { numRuns: 200 },
    );
  });

  it("has room at the very millisecond that it named", () => {
    const window = new SlidingWindow();
    expect(window.take(START_MS, 2)).toEqual({ granted: true });
    expect(window.take(START_MS + 400, 2)).toEqual({ granted: true });
    expect(window.take(START_MS + 1000, 2)).toEqual({ granted: false, retryAfterMs: 59_000 });
    expect(window.take(START_MS + WINDOW_MS - 1, 2)).toEqual({ granted: false, retryAfterMs: 1 });
    expect(window.take(START_MS + WINDOW_MS, 2)).toEqual({ granted: true });
    expect(window.take(START_MS + WINDOW_MS, 2)).toEqual({ granted: false, retryAfterMs: 400 });
  });

  it("a lowered limit waits for enough to leave, and 0 grants nothing", () => {
    const window = new SlidingWindow();
    for (let i = 0; i < 10; i += 1) window.take(START_MS + i * 1000, 10);
    expect(window.take(START_MS + 10_000, 3)).toEqual({ granted: false, retryAfterMs: 57_000 });
    expect(window.take(START_MS + 10_000, 0)).toEqual({ granted: false, retryAfterMs: WINDOW_MS });
    expect(window.take(START_MS + 67_000, 3)).toEqual({ granted: true });
  });

  it("a clock that goes back opens nothing", () => {
    const window = new SlidingWindow();
    window.take(START_MS, 1);
    expect(window.take(START_MS - 3 * WINDOW_MS, 1)).toEqual({ granted: false, retryAfterMs: WINDOW_MS });
  });

  it("remembers no more than its bound, and takes a higher limit for that", () => {
    const window = new SlidingWindow();
    for (let i = 0; i < WINDOW_REQUESTS_MAX; i += 1) window.take(START_MS + Math.floor(i / 2), 1e9);
    expect(window.take(START_MS + WINDOW_MS - 1, 1e9).granted).toBe(false);
    expect(window.slices().reduce((sum, { granted }) => sum + granted, 0)).toBe(WINDOW_REQUESTS_MAX);
    expect(window.slices().length).toBeLessThanOrEqual(WINDOW_MS / SLICE_MS + 1);
    // Two were granted in the first millisecond.
    expect(window.take(START_MS + WINDOW_MS, 1e9).granted).toBe(true);
    expect(window.take(START_MS + WINDOW_MS, 1e9).granted).toBe(true);
    expect(window.take(START_MS + WINDOW_MS, 1e9).granted).toBe(false);
    const again = new SlidingWindow(window.slices());
    expect(again.take(START_MS + WINDOW_MS, 1e9).granted).toBe(false);
  });
});
