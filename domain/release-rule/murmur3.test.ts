import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { beginMurmur3, finishMurmur3 } from "./murmur3.ts";
import { MURMUR3_VECTORS } from "./testing-rules.ts";

/** The algorithm as it is published, on bytes. */
function reference(bytes: Uint8Array, seed: number): number {
  const mask = 0xffffffffn;
  const rotl = (x: bigint, r: bigint): bigint => ((x << r) | (x >> (32n - r))) & mask;
  const scramble = (k: bigint): bigint => (rotl((k * 0xcc9e2d51n) & mask, 15n) * 0x1b873593n) & mask;
  let h = BigInt(seed);
  const word = (at: number, length: number): bigint => {
    let k = 0n;
    for (let i = 0; i < length; i += 1) k |= BigInt(bytes[at + i] ?? 0) << BigInt(8 * i);
    return k;
  };
  const blocks = bytes.length >> 2;
  for (let i = 0; i < blocks; i += 1) h = (rotl(h ^ scramble(word(4 * i, 4)), 13n) * 5n + 0xe6546b64n) & mask;
  h ^= scramble(word(4 * blocks, bytes.length & 3));
  h ^= BigInt(bytes.length);
  h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & mask;
  h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & mask;
  return Number(h ^ (h >> 16n));
}

describe("murmur3_32", () => {
  it.each(MURMUR3_VECTORS)("C5 hashes %j with seed %i as published", (text, seed, hash) => {
    expect(finishMurmur3(beginMurmur3("", seed), text)).toBe(hash);
  });

  it("C5 hashes the UTF-8 of any text as the algorithm does, wherever it is cut in two", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 40 }),
        fc.string({ unit: "binary", maxLength: 40 }),
        fc.nat(0xffffffff),
        (first, second, seed) => {
          const begun = beginMurmur3(first, seed);
          const expected = reference(new TextEncoder().encode(first + second), seed);
          expect(finishMurmur3(begun, second)).toBe(expected);
          expect(finishMurmur3(begun, second)).toBe(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("takes a lone surrogate for the replacement character", () => {
    const hash = finishMurmur3(beginMurmur3("a\ud800"), "b\udc00c");
    expect(hash).toBe(reference(new TextEncoder().encode("a\ufffdb\ufffdc"), 0));
  });
});
