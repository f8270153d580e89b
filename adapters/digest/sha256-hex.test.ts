import { expect, test } from "vitest";
import { sha256Hex, toHex } from "./sha256-hex.ts";

/** FIPS 180-2, appendix B.1. */
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

test("C1 the digest of a text is that of its UTF-8, of a part of a buffer that of the part", async () => {
  expect(await sha256Hex("abc")).toBe(ABC);
  expect(await sha256Hex(new TextEncoder().encode("abc"))).toBe(ABC);
  expect(await sha256Hex(new TextEncoder().encode("xabcx").subarray(1, 4))).toBe(ABC);
  expect(await sha256Hex("ä")).toBe(await sha256Hex(new Uint8Array([0xc3, 0xa4])));
});

test("C1 hex digits are lower-case and two a byte", () => {
  expect(toHex(new Uint8Array([0, 15, 16, 255]))).toBe("000f10ff");
});
