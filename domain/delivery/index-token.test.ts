import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatIndexToken, parseIndexToken } from "./index-token.ts";

describe("index token", () => {
  it("parses what it formatted, also for a cluster id with dots", () => {
    const position = fc.record({
      cluster_id: fc.constantFrom("c1", "a.b", "a.1.2", "x~y"),
      epoch: fc.nat(),
      index: fc.maxSafeNat().map((n) => n % 1e15),
    });
    fc.assert(
      fc.property(position, fc.constantFrom("abc_-9", "A"), (p, signature) => {
        expect(parseIndexToken(formatIndexToken(p, signature))).toEqual({ position: p, signature });
      }),
    );
  });

  it.each([
    "",
    "c1",
    "c1.1.2",
    "c1.1.2.",
    ".1.2.x",
    "c1.01.2.x",
    "c1.1.-2.x",
    "c1.1.2.x y",
    `c1.1.2.${"x".repeat(300)}`,
    "c1.1.9999999999999999.x",
  ])("refuses %j", (token) => {
    expect(parseIndexToken(token)).toBeNull();
  });
});
