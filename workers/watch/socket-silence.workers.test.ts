import { describe, expect, it } from "vitest";
import { GREETING_PING_MS, SOCKET_SILENT_MS_MAX } from "./limits.ts";
import { isSilent, SILENCE } from "./socket-silence.ts";

const openedAtMs = 1_000;
const pingedAtMs = openedAtMs + GREETING_PING_MS + 1;
const longAfterMs = pingedAtMs + SOCKET_SILENT_MS_MAX + 1;

describe("a silent socket", () => {
  it.each([
    ["has pinged as it went, and not for too long", pingedAtMs, longAfterMs, true],
    ["is none at the limit", pingedAtMs, longAfterMs - 1, false],
    ["is none that only greeted", openedAtMs + GREETING_PING_MS, longAfterMs * 10, false],
    ["is none that never pinged", null, longAfterMs * 10, false],
  ])("E9 %s", (_, lastPingMs, nowMs, expected) => {
    expect(isSilent({ openedAtMs, pingedAtMs: lastPingMs, nowMs }, SILENCE)).toBe(expected);
  });
});
