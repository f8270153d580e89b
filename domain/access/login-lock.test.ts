import { describe, expect, test } from "vitest";
import {
  LOGIN_ADDRESS_FAILURES_FREE,
  LOGIN_FAILURES_KEPT_MS,
  LOGIN_LOCK_MS_MAX,
  LOGIN_NAME_FAILURES_FREE,
} from "../limits.ts";
import {
  addressSubject,
  countAttempt,
  lockMs,
  type LoginRecord,
  NO_FAILURES,
  takeBackAttempt,
  waitMs,
} from "./login-lock.ts";

const nowMs = 1_000_000_000;
const fail = (times: number, from: LoginRecord = NO_FAILURES): LoginRecord =>
  Array.from({ length: times }).reduce<LoginRecord>((record) => countAttempt("name", record, nowMs), from);

describe("A3 lock-out", () => {
  test.each([
    [1, 0],
    [LOGIN_NAME_FAILURES_FREE - 1, 0],
    [LOGIN_NAME_FAILURES_FREE, 1_000],
    [LOGIN_NAME_FAILURES_FREE + 1, 2_000],
    [LOGIN_NAME_FAILURES_FREE + 2, 4_000],
    [LOGIN_NAME_FAILURES_FREE + 9, 512_000],
    [LOGIN_NAME_FAILURES_FREE + 10, LOGIN_LOCK_MS_MAX],
    [1_000_000, LOGIN_LOCK_MS_MAX],
  ])("failure %i of a name locks it for %i ms", (failures, expected) => {
    expect(lockMs("name", failures)).toBe(expected);
  });

  test("an address has more failures free", () => {
    expect(lockMs("address", LOGIN_ADDRESS_FAILURES_FREE - 1)).toBe(0);
    expect(lockMs("address", LOGIN_ADDRESS_FAILURES_FREE)).toBe(1_000);
  });

  test("an attempt counts before it is checked, so the last free one locks for those beside it", () => {
    expect(waitMs(fail(LOGIN_NAME_FAILURES_FREE - 1), nowMs)).toBe(0);
    const locked = fail(LOGIN_NAME_FAILURES_FREE);
    expect(waitMs(locked, nowMs)).toBe(1_000);
    expect(waitMs(locked, nowMs + 999)).toBe(1);
    expect(waitMs(locked, nowMs + 1_000)).toBe(0);
  });

  test("failures are forgotten after a quiet time, and not before", () => {
    const many = fail(30);
    const after = (ms: number) => countAttempt("name", many, nowMs + ms).failures;
    expect(after(LOGIN_FAILURES_KEPT_MS)).toBe(31);
    expect(after(LOGIN_FAILURES_KEPT_MS + 1)).toBe(1);
    expect(LOGIN_FAILURES_KEPT_MS).toBeGreaterThan(LOGIN_LOCK_MS_MAX);
  });

  test("a right password takes back its own attempt and the lock it made, and no other", () => {
    const four = fail(4);
    expect(takeBackAttempt("name", countAttempt("name", four, nowMs), "accepted")).toEqual(four);
    // Nor does a clock that is behind find a lock where there is none.
    expect(waitMs(four, nowMs - 5)).toBe(0);
    // A guess came in between and locked by itself: that lock gets shorter and the guess stays counted.
    const beside = takeBackAttempt("name", fail(7), "accepted");
    expect(beside.failures).toBe(6);
    expect(waitMs(beside, nowMs)).toBe(2_000);
    expect(takeBackAttempt("name", NO_FAILURES, "accepted")).toEqual(NO_FAILURES);
  });

  test.each([
    ["known_address", "accepted", 0],
    ["known_address", "not_checked", 4],
    ["name", "accepted", 4],
    ["name", "not_checked", 4],
    ["address", "accepted", 4],
  ] as const)("%s, %s: %i failures left of five", (kind, outcome, left) => {
    expect(takeBackAttempt(kind, fail(5), outcome).failures).toBe(left);
  });

  test.each([
    ["", null],
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:0:1:aaaa::1", "2001:db8:0:1::/64"],
    ["2001:0DB8:0000:0001:0:0:0:2", "2001:db8:0:1::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["2001:db8:1:2:3:4:5::", "2001:db8:1:2::/64"],
  ])("the address %s counts as %s", (ip, subject) => {
    expect(addressSubject(ip)).toBe(subject);
  });
});
