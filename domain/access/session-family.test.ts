import { describe, expect, test } from "vitest";
import { REFRESH_REPEAT_MS, SESSION_IDLE_MS_MAX, SESSION_LIFETIME_MS_MAX } from "../limits.ts";
import { beginFamily, exchangeToken, judgeRefresh } from "./session-family.ts";

const nowMs = 1_000_000_000;
const first = beginFamily("a", nowMs);
const second = exchangeToken(first, "b", nowMs, false);
const third = exchangeToken(second, "c", nowMs, false);

describe("A3 a session's line of refresh tokens", () => {
  test.each([
    ["the first token", first, "a", 0, "exchange"],
    ["a token of another line", first, "x", 0, "reuse"],
    ["the second", second, "b", 0, "exchange"],
    ["the first, again at once", second, "a", 0, "repeat"],
    ["the first, at the end of the time to ask again", second, "a", REFRESH_REPEAT_MS, "repeat"],
    ["the first, after it", second, "a", REFRESH_REPEAT_MS + 1, "reuse"],
    ["the first, when the second was exchanged", third, "a", 0, "reuse"],
    ["the third", third, "c", SESSION_IDLE_MS_MAX - 1, "exchange"],
    ["the third, too late", third, "c", SESSION_IDLE_MS_MAX, "expired"],
    ["the first, too late", third, "a", SESSION_IDLE_MS_MAX, "expired"],
    ["a code, again", exchangeToken(first, "b", nowMs, true), "a", 1, "reuse"],
    ["what a code gave", exchangeToken(first, "b", nowMs, true), "b", 1, "exchange"],
  ] as const)("%s: %#", (_name, family, digest, afterMs, verdict) => {
    expect(judgeRefresh(family, digest, nowMs + afterMs)).toBe(verdict);
  });

  test("ends after its lifetime however often it is refreshed", () => {
    let family = first;
    let atMs = nowMs;
    while (atMs < family.expiresAtMs) {
      family = exchangeToken(family, `t${atMs}`, atMs, false);
      atMs += SESSION_IDLE_MS_MAX - 1;
    }
    expect(family.expiresAtMs).toBe(nowMs + SESSION_LIFETIME_MS_MAX);
  });
});
