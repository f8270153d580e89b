import { expect, it } from "vitest";
import { CLOCK_STEP_MAX_MS } from "../state/leader-time.ts";
import { LeaderClock, machineElapsedMs } from "./leader-clock.ts";

it("R9 a stamp seen from another leader bounds this one's, and is never gone below", () => {
  let wallMs = 1_000_000;
  let elapsedMs = 0;
  const clock = new LeaderClock({ wallMs: () => wallMs, elapsedMs: () => elapsedMs });
  expect(clock.stampMs(0)).toBe(1_000_000);
  clock.observe(1_000_500);
  clock.observe(900_000);
  expect(clock.stampMs(0)).toBe(1_000_500);
  wallMs = 9_000_000;
  elapsedMs = 100;
  expect(clock.stampMs(0)).toBe(1_000_600 + CLOCK_STEP_MAX_MS);
  expect(clock.stampMs(20_000_000)).toBe(20_000_000);
});

it("a process that has just started believes its clock: the machine may have been off for days", () => {
  const clock = new LeaderClock({ wallMs: () => 9_000_000, elapsedMs: () => 0 });
  expect(clock.stampMs(1000)).toBe(9_000_000);
});

it("R9 a log replayed at start, or with no stamp at all, does not hold the clock in the past", () => {
  const clock = new LeaderClock({ wallMs: () => 9_000_000_000, elapsedMs: () => 0 });
  clock.observe(0);
  clock.observe(1_000);
  expect(clock.stampMs(1_000)).toBe(9_000_000_000);
});

it("R9 a follower that catches up on old stamps keeps what it knew of the present", () => {
  let elapsedMs = 0;
  const clock = new LeaderClock({ wallMs: () => 1_000_000 + elapsedMs, elapsedMs: () => elapsedMs });
  clock.stampMs(0);
  elapsedMs = 3_600_000;
  clock.observe(1_000_500);
  expect(clock.stampMs(1_000_500)).toBe(4_600_000);
});

it("R9 a stamp seen live holds a clock that runs fast, also in a process that has just started", () => {
  const clock = new LeaderClock({ wallMs: () => 1_005_000, elapsedMs: () => 0 });
  clock.observe(1_000_000);
  expect(clock.stampMs(1_000_000)).toBe(1_005_000);
  const behind = new LeaderClock({ wallMs: () => 900_000, elapsedMs: () => 0 });
  behind.observe(1_000_000);
  expect(behind.stampMs(1_000_000)).toBe(1_000_000);
});

it("elapsed time never goes back", () => {
  const elapsedMs = machineElapsedMs();
  let last = elapsedMs();
  for (let i = 0; i < 1000; i += 1) {
    const next = elapsedMs();
    expect(next).toBeGreaterThanOrEqual(last);
    last = next;
  }
});
