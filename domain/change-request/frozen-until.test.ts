import { describe, expect, it } from "vitest";
import type { FreezeWindow } from "./change-rules.ts";
import { frozenUntil } from "./frozen-until.ts";

const PROD = { tenant: "demo", app: "shop", env: "prod" };
const ms = (time: string): number => Date.parse(time);
const absolute = (name: string, from: string, until: string): FreezeWindow => ({
  type: "absolute",
  name,
  namespaces: "demo/*/prod",
  from_ms: ms(from),
  until_ms: ms(until),
});
/** Friday 16:00 UTC, for 64 hours: until Monday 08:00. */
const weekend: FreezeWindow = {
  type: "weekly",
  name: "weekend",
  namespaces: "demo/**",
  day: "fri",
  minute_of_day: 16 * 60,
  duration_minutes: 64 * 60,
};
const until = (windows: FreezeWindow[], now: string, namespace = PROD): string | null => {
  const freeze = frozenUntil(windows, namespace, ms(now));
  return freeze && `${freeze.name} ${new Date(freeze.untilMs).toISOString()}`;
};

describe("C14 freeze windows", () => {
  // 2026-11-27 is a Friday.
  it.each([
    ["2026-11-27T15:59:59.999Z", null],
    ["2026-11-27T16:00:00.000Z", "weekend 2026-11-30T08:00:00.000Z"],
    ["2026-11-29T23:00:00.000Z", "weekend 2026-11-30T08:00:00.000Z"],
    ["2026-11-30T07:59:59.999Z", "weekend 2026-11-30T08:00:00.000Z"],
    ["2026-11-30T08:00:00.000Z", null],
    ["1970-01-02T16:00:00.000Z", "weekend 1970-01-05T08:00:00.000Z"],
    ["1970-01-01T00:00:00.000Z", null],
  ])("a weekly one at %s: %s", (now, expected) => {
    expect(until([weekend], now)).toBe(expected);
  });

  it("an absolute one holds from its beginning to before its end", () => {
    const window = absolute("sale", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z");
    expect(until([window], "2026-11-24T23:59:59.999Z")).toBeNull();
    expect(until([window], "2026-11-25T00:00:00Z")).toBe("sale 2026-11-26T00:00:00.000Z");
    expect(until([window], "2026-11-26T00:00:00Z")).toBeNull();
  });

  it("windows that meet or overlap are one freeze; others are not", () => {
    const windows = [
      absolute("b", "2026-11-26T00:00:00Z", "2026-11-27T16:00:00Z"),
      absolute("a", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"),
      absolute("c", "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"),
      weekend,
    ];
    expect(until(windows, "2026-11-25T01:00:00Z")).toBe("a 2026-11-30T08:00:00.000Z");
  });

  it("is about the namespaces that it names", () => {
    const window = absolute("sale", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z");
    expect(until([window], "2026-11-25T00:00:00Z", { ...PROD, env: "dev" })).toBeNull();
    expect(until([weekend], "2026-11-28T00:00:00Z", { ...PROD, tenant: "other" })).toBeNull();
  });

  it("ends looking ahead when windows leave no time at all", () => {
    const days = ["mon", "fri"] as const;
    const always = days.map((day) => ({ ...weekend, day, duration_minutes: 6 * 24 * 60 }));
    expect(frozenUntil(always, PROD, ms("2026-11-25T00:00:00Z"))?.untilMs).toBeGreaterThan(
      ms("2027-01-01T00:00:00Z"),
    );
  });
});
