import { describe, expect, it } from "vitest";
import { ClientRates, RATE_WINDOW_MS, UNASKED_REQUESTS_MAX } from "./client-rates.ts";

const NOW_MS = 1_800_000_000_000;
const SEED = 7;

describe("ClientRates", () => {
  it("E8 asks only about a client that sends much, and counts each by itself", () => {
    const rates = new ClientRates(SEED);
    for (let i = 0; i < UNASKED_REQUESTS_MAX; i += 1) {
      expect(rates.count("j", "10.0.0.1", NOW_MS + i)).toBe("pass");
    }
    expect(rates.count("j", "10.0.0.1", NOW_MS + 100)).toBe("ask");
    expect(rates.count("j", "10.0.0.2", NOW_MS + 100)).toBe("pass");
    expect(rates.count("k", "10.0.0.1", NOW_MS + 100)).toBe("pass");
    expect(rates.count("j", "10.0.0.1", NOW_MS + RATE_WINDOW_MS)).toBe("pass");
  });

  it("E8 refuses to the end of the window whom the counter refused", () => {
    const rates = new ClientRates(SEED);
    for (let i = 0; i <= UNASKED_REQUESTS_MAX; i += 1) rates.count("j", "10.0.0.1", NOW_MS);
    rates.refuse("j", "10.0.0.1");
    expect(rates.count("j", "10.0.0.1", NOW_MS + RATE_WINDOW_MS - 1)).toBe("refuse");
    expect(rates.count("j", "10.0.0.1", NOW_MS + RATE_WINDOW_MS)).toBe("pass");
    rates.refuse("nobody", "10.0.0.1");
  });

  it("E8 refuses nobody for a client that shares a count, but asks", () => {
    const rates = new ClientRates(SEED);
    const addresses = Array.from({ length: 100_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    for (let i = 0; i <= UNASKED_REQUESTS_MAX; i += 1) {
      for (const address of ["192.0.2.1", "192.0.2.2"]) rates.count("j", address, NOW_MS);
    }
    rates.refuse("j", "192.0.2.1");
    const verdicts = addresses.map((address) => rates.count("j", address, NOW_MS));
    expect(verdicts.filter((verdict) => verdict === "ask").length).toBeGreaterThan(0);
    expect(verdicts).not.toContain("refuse");
    expect(rates.count("j", "192.0.2.1", NOW_MS)).toBe("refuse");
    expect(rates.count("j", "192.0.2.2", NOW_MS)).toBe("ask");
  });

  it("E8 spreads clients evenly: of as many as an isolate sees in a window, next to none is asked about", () => {
    const rates = new ClientRates(SEED);
    let asked = 0;
    for (let i = 0; i < 200_000; i += 1) {
      const verdict = rates.count("j", `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, NOW_MS);
      if (verdict !== "pass") asked += 1;
    }
    expect(asked).toBe(0);
  });

  it("E8 goes on counting when a clock was set back, and forgets no count for a request that lags a little", () => {
    const rates = new ClientRates(SEED);
    for (let i = 0; i < UNASKED_REQUESTS_MAX; i += 1) rates.count("j", "10.0.0.1", NOW_MS);
    expect(rates.count("j", "10.0.0.1", NOW_MS - 1)).toBe("ask");
    expect(rates.count("j", "10.0.0.1", NOW_MS - 10 * RATE_WINDOW_MS)).toBe("pass");
  });
});
