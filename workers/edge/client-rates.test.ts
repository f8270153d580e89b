import { describe, expect, it } from "vitest";
import { ClientRates, RATE_WINDOW_MS, UNASKED_REQUESTS_MAX } from "./client-rates.ts";

const NOW_MS = 1_800_000_000_000;

describe("ClientRates", () => {
  it("E8 asks only about a client that sends much, and counts each by itself", () => {
    const rates = new ClientRates();
    for (let i = 0; i < UNASKED_REQUESTS_MAX; i += 1) expect(rates.count("a", NOW_MS + i)).toBe("pass");
    expect(rates.count("a", NOW_MS + 100)).toBe("ask");
    expect(rates.count("b", NOW_MS + 100)).toBe("pass");
    expect(rates.count("a", NOW_MS + RATE_WINDOW_MS)).toBe("pass");
  });

  it("E8 refuses to the end of the window whom the counter refused", () => {
    const rates = new ClientRates();
    for (let i = 0; i <= UNASKED_REQUESTS_MAX; i += 1) rates.count("a", NOW_MS);
    rates.refuse("a");
    expect(rates.count("a", NOW_MS + RATE_WINDOW_MS - 1)).toBe("refuse");
    expect(rates.count("a", NOW_MS + RATE_WINDOW_MS)).toBe("pass");
    rates.refuse("nobody");
  });
});
