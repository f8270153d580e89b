import { expect, it } from "vitest";
import type { KeyService } from "../key-service.ts";

/** What every `KeyService` promises. `service` has the keys `one` and `two`, and no others. */
export function keyServiceConformance(
  service: () => KeyService,
  { one, two }: { one: string; two: string },
): void {
  const context = { purpose: "test", tenant: "demo" };

  it("K2 a data key has 32 bytes, is new each time, and opens for its context in any order", async () => {
    const first = await service().generateDataKey({ keyId: one, context });
    const second = await service().generateDataKey({ keyId: one, context });
    expect(first.plaintext).toHaveLength(32);
    expect(first.plaintext).not.toEqual(second.plaintext);
    const { keyId, wrapped } = first;
    const opened = await service().decryptDataKey({
      keyId,
      wrapped,
      context: { tenant: "demo", purpose: "test" },
    });
    expect(new Uint8Array(opened)).toEqual(new Uint8Array(first.plaintext));
    expect(Buffer.from(wrapped).includes(Buffer.from(first.plaintext))).toBe(false);
  });

  it.each([
    ["another value", { purpose: "test", tenant: "other" }],
    ["a name left out", { purpose: "test" }],
    ["a name more", { purpose: "test", tenant: "demo", more: "x" }],
    ["none", {}],
    ["name and value moved together", { "purpose test": "", tenant: "demo" }],
  ])("K1 a context with %s opens nothing", async (_name, wrong) => {
    const { keyId, wrapped } = await service().generateDataKey({ keyId: one, context });
    await expect(service().decryptDataKey({ keyId, wrapped, context: wrong })).rejects.toMatchObject({
      code: "validation_failed",
    });
  });

  it("K1 another key opens nothing", async () => {
    const { wrapped } = await service().generateDataKey({ keyId: one, context });
    await expect(service().decryptDataKey({ keyId: two, wrapped, context })).rejects.toMatchObject({
      code: "validation_failed",
    });
  });

  it("K1 no byte of a wrapped key can be changed, cut off or added", async () => {
    const { keyId, wrapped } = await service().generateDataKey({ keyId: one, context });
    const changed = Array.from(wrapped, (_, i) => {
      const copy = Uint8Array.from(wrapped);
      copy[i] = (copy[i] ?? 0) ^ (1 << (i % 8));
      return copy;
    });
    const others = [
      wrapped.slice(1),
      wrapped.slice(0, -1),
      Uint8Array.from([...wrapped, 0]),
      Uint8Array.of(1),
    ];
    for (const wrong of [...changed, ...others]) {
      await expect(service().decryptDataKey({ keyId, wrapped: wrong, context })).rejects.toMatchObject({
        code: "validation_failed",
      });
    }
  });

  it("a key that is not there is not_found", async () => {
    await expect(service().generateDataKey({ keyId: "alias/none", context })).rejects.toMatchObject({
      code: "not_found",
    });
  });
  describeRewrapping(service, { one, two });
}

function describeRewrapping(service: () => KeyService, { one, two }: { one: string; two: string }): void {
  const context = { purpose: "test", tenant: "demo" };

  it("K3 a data key wrapped anew is another blob of the same key, also under another key", async () => {
    const { keyId, wrapped, plaintext } = await service().generateDataKey({ keyId: one, context });
    for (const toKeyId of [one, two]) {
      const anew = await service().rewrapDataKey({ keyId, wrapped, context, toKeyId });
      expect(Buffer.from(anew.wrapped).equals(wrapped)).toBe(false);
      const opened = await service().decryptDataKey({ ...anew, context });
      expect(new Uint8Array(opened)).toEqual(new Uint8Array(plaintext));
    }
    const wrong = { keyId, wrapped, context: { purpose: "other" }, toKeyId: two };
    await expect(service().rewrapDataKey(wrong)).rejects.toMatchObject({ code: "validation_failed" });
    await expect(
      service().rewrapDataKey({ keyId, wrapped, context, toKeyId: "alias/none" }),
    ).rejects.toMatchObject({ code: "not_found" });
  });
}
