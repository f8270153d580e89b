import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { sha256Hex } from "./sha256.ts";

const reference = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

it("C14 is the SHA-256 of the runtime, at every length about a block's end", () => {
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) % 256);
    expect(sha256Hex(bytes)).toBe(reference(bytes));
  }
});

it("C14 and of any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      expect(sha256Hex(bytes)).toBe(reference(bytes));
    }),
  );
});
