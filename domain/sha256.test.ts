import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { sha256Hex } from "./sha256.ts";

it("C13 hashes every text as the platform does", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      expect(sha256Hex(text)).toBe(createHash("sha256").update(text, "utf8").digest("hex"));
    }),
    { numRuns: 500 },
  );
  const long = "é".repeat(100_000);
  expect(sha256Hex(long)).toBe(createHash("sha256").update(long).digest("hex"));
});
