import { describe, expect, it } from "vitest";
import { CLIENT_WINDOW_BYTES_MAX, CLIENT_WINDOW_MESSAGES_MAX, CLIENT_WINDOW_MS } from "./limits.ts";
import { MessageRate } from "./message-rate.ts";

describe("what a socket may say", () => {
  it("E9 is so many messages a window, and the next window is new", () => {
    const rate = new MessageRate();
    const said = Array.from({ length: CLIENT_WINDOW_MESSAGES_MAX + 1 }, () => rate.take(1, 1_000));
    expect(said.indexOf(false)).toBe(CLIENT_WINDOW_MESSAGES_MAX);
    expect(rate.take(1, 1_000 + CLIENT_WINDOW_MS - 1)).toBe(false);
    expect(rate.take(1, 1_000 + CLIENT_WINDOW_MS)).toBe(true);
  });

  it("E9 is so many bytes a window", () => {
    const rate = new MessageRate();
    expect(rate.take(CLIENT_WINDOW_BYTES_MAX, 0)).toBe(true);
    expect(rate.take(1, 0)).toBe(false);
    expect(rate.take(CLIENT_WINDOW_BYTES_MAX + 1, CLIENT_WINDOW_MS)).toBe(false);
  });
});
