import { describe, expect, it } from "vitest";
import { MemoryKeyService } from "../memory/memory-key-service.ts";
import { type Envelope, envelopeSchema, openEnvelope, sealEnvelope } from "./envelope.ts";
import { keyServiceConformance } from "./testing/key-service-conformance.ts";

const context = { purpose: "test" };
const plaintext = Buffer.from("a secret of some length");
const refused = { code: "validation_failed" };

describe("keys in memory", () => {
  const keys = new MemoryKeyService(["one", "two"]);
  keyServiceConformance(() => keys, { one: "one", two: "two" });
});

describe("K1 an envelope", () => {
  const keys = new MemoryKeyService(["one", "two"]);
  const seal = () => sealEnvelope(keys, { keyId: "one", context, plaintext });

  it("opens for its context, holds nothing of the plaintext, and is another each time", async () => {
    const [first, second] = [await seal(), await seal()];
    const read = envelopeSchema.parse(JSON.parse(JSON.stringify(first)));
    expect(Buffer.from(await openEnvelope(keys, read, context))).toEqual(plaintext);
    expect(first.ciphertext).not.toBe(second.ciphertext);
    expect(Buffer.from(first.ciphertext, "base64url").includes(plaintext.subarray(0, 4))).toBe(false);
  });

  it("an empty secret and one of a megabyte come back", async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(1024 * 1024, 7)]) {
      const envelope = await sealEnvelope(keys, { keyId: "one", context, plaintext: bytes });
      expect(Buffer.from(await openEnvelope(keys, envelope, context))).toEqual(bytes);
    }
  });

  it("does not open for another context, nor with another service's keys", async () => {
    const envelope = await seal();
    await expect(openEnvelope(keys, envelope, { purpose: "other" })).rejects.toMatchObject(refused);
    const others = new MemoryKeyService(["one", "two"]);
    await expect(openEnvelope(others, envelope, context)).rejects.toMatchObject(refused);
    await expect(openEnvelope(keys, { ...envelope, key_id: "two" }, context)).rejects.toMatchObject(refused);
  });

  it("does not open with any one bit flipped", async () => {
    const envelope = await seal();
    for (const field of ["wrapped_key", "iv", "ciphertext", "tag"] as const) {
      const bytes = Buffer.from(envelope[field], "base64url");
      for (let bit = 0; bit < bytes.byteLength * 8; bit += 5) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const changed: Envelope = { ...envelope, [field]: flipped.toString("base64url") };
        await expect(openEnvelope(keys, changed, context)).rejects.toMatchObject(refused);
      }
    }
  });

  it("does not open with parts of another envelope", async () => {
    const [first, second] = [await seal(), await seal()];
    for (const field of ["wrapped_key", "iv", "ciphertext", "tag"] as const) {
      const mixed = { ...first, [field]: second[field] };
      await expect(openEnvelope(keys, mixed, context)).rejects.toMatchObject(refused);
    }
  });

  it.each([
    ["a short tag", { tag: "AAAA" }],
    ["another spelling of the same bytes", { iv: "AAAAAAAAAAAAAAAA=" }],
    ["an unknown format", { format: 2 }],
    ["a field more", { more: 1 }],
  ])("%s is not an envelope", async (_name, change) => {
    expect(envelopeSchema.safeParse({ ...(await seal()), ...change }).success).toBe(false);
  });
});
