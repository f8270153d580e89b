import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { sha256OfText } from "./sha256-of-text.ts";

it("C13 hashes every text as the platform does", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      expect(sha256OfText(text)).toBe(createHash("sha256").update(text, "utf8").digest("hex"));
    }),
    { numRuns: 500 },
  );
  const long = "é".repeat(100_000);
  expect(sha256OfText(long)).toBe(createHash("sha256").update(long).digest("hex"));
});
