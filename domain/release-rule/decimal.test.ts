import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareDecimals, type Decimal, parseDecimal } from "./decimal.ts";

const decimal = (text: string): Decimal => {
  const parsed = parseDecimal(text);
  if (parsed === null) throw new Error(`${text} is no decimal`);
  return parsed;
};

describe("C5 decimals", () => {
  it("are compared exactly, as whole numbers of the smallest step are", () => {
    const places = 20;
    const scaled = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
    const write = (n: bigint, zeros: number): string => {
      const digits = (n < 0n ? -n : n).toString().padStart(places + 1, "0");
      const text = `${"0".repeat(zeros)}${digits.slice(0, -places)}.${digits.slice(-places)}${"0".repeat(zeros)}`;
      return n < 0n ? `-${text}` : text;
    };
    fc.assert(
      fc.property(scaled, fc.option(scaled, { nil: null }), fc.nat(3), fc.nat(3), (a, other, i, j) => {
        const b = other ?? a;
        const order = compareDecimals(decimal(write(a, i)), decimal(write(b, j)));
        expect(Math.sign(order)).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
      { numRuns: 1000 },
    );
  });

  it("tell what a double cannot", () => {
    expect(compareDecimals(decimal("0.1"), decimal("0.10000000000000000001"))).toBeLessThan(0);
    expect(compareDecimals(decimal("9007199254740993"), decimal("9007199254740992"))).toBeGreaterThan(0);
  });

  it.each(["", "-", ".5", "5.", "1e3", "0x10", " 1", "1 ", "1,000", "NaN", "Infinity", "١", "--1"])(
    "%j is none",
    (text) => {
      expect(parseDecimal(text)).toBeNull();
    },
  );

  it("zero has no sign, and signs and zeros around a number say nothing", () => {
    expect(compareDecimals(decimal("-0.00"), decimal("0"))).toBe(0);
    expect(compareDecimals(decimal("+007.50"), decimal("7.5"))).toBe(0);
  });
});
