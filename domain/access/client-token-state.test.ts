import { describe, expect, it } from "vitest";
import { clientTokenState } from "./client-token-state.ts";

const token = { issuedAtMs: 5_400, expiresAtMs: 60_000, revokedAtMs: null };
const state = (change: object, nowMs: number, tokensNotBeforeMs: number) =>
  clientTokenState({ ...token, ...change }, { nowMs, tokensNotBeforeMs });

describe("A3 R13 what a client token is good for", () => {
  it.each([
    ["nothing happened to is active", {}, 10_000, 0, "active", null],
    ["ran out has expired, to the millisecond", {}, 60_000, 0, "expired", null],
    [
      "was revoked is revoked, also once it would have expired",
      { revokedAtMs: 7_000 },
      90_000,
      0,
      "revoked",
      null,
    ],
    ["is older than a restore has ended", {}, 10_000, 9_000, "ended", 9_000],
    ["was issued in the second of a restore, before it, has ended", {}, 10_000, 5_401, "ended", 5_401],
    ["was issued in the second of a restore, after it, is active", {}, 10_000, 5_400, "active", null],
    ["had expired before a restore was not ended by it", {}, 90_000, 70_000, "expired", null],
    [
      "was revoked, and called in besides, says both",
      { revokedAtMs: 7_000 },
      10_000,
      9_000,
      "revoked",
      9_000,
    ],
  ] as const)("one that %s", (_name, change, nowMs, notBeforeMs, status, endedAtMs) => {
    expect(state(change, nowMs, notBeforeMs)).toEqual({ status, endedAtMs });
  });
});
