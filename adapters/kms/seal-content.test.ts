import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { envelopeHead, rewrapEnvelope } from "../../domain/encryption/envelope-text.ts";
import { decryptEnvelope } from "../../sdk/decrypt-envelope.ts";
import { MemoryKeyService } from "../memory/memory-key-service.ts";
import type { KeyService } from "./key-service.ts";
import { rewrapContent, sealContent } from "./seal-content.ts";

const identity = { tenant: "demo", app: "shop", env: "prod", name: "db.json" };
const plaintext = Buffer.from('{"password":"hunter2"}');
const keys = new MemoryKeyService(["alias/one", "alias/two"]);
const seal = (service: KeyService = keys) =>
  sealContent(service, { keyId: "alias/one", identity, plaintext });
const sha256 = (...parts: Uint8Array[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};
const open = (body: Uint8Array) =>
  decryptEnvelope({
    body,
    config: "demo/shop/prod/db.json",
    decryptDataKey: (wrapped, keyId, context) =>
      keys.decryptDataKey({ keyId, wrapped, context: { ...context } }),
  });

describe("K1 sealing a content", () => {
  it("makes exactly the envelope of the API, in base64, with hashes of what they are hashes of", async () => {
    const { bytes, sha256: hash, sealed } = await seal();
    const envelope = JSON.parse(Buffer.from(bytes).toString()) as Record<string, string>;
    expect(Object.keys(envelope)).toEqual([
      "alg",
      "key_id",
      "wrapped_key",
      "iv",
      "ciphertext",
      "tag",
      "context",
    ]);
    expect(envelope).toMatchObject({ alg: "A256GCM", key_id: "alias/one", context: identity });
    const [iv, ciphertext, tag] = ["iv", "ciphertext", "tag"].map((f) =>
      Buffer.from(envelope[f] ?? "", "base64"),
    );
    expect([iv?.byteLength, ciphertext?.byteLength, tag?.byteLength]).toEqual([12, plaintext.byteLength, 16]);
    expect(hash).toBe(sha256(bytes));
    expect(sealed).toEqual({ key_id: "alias/one", content_sha256: sha256(iv!, ciphertext!, tag!) });
    expect(sealed.content_sha256).not.toBe(sha256(plaintext));
  });

  it("the same content twice shares nothing", async () => {
    const [first, second] = [await seal(), await seal()];
    expect(first.sha256).not.toBe(second.sha256);
    expect(first.sealed.content_sha256).not.toBe(second.sealed.content_sha256);
    const [a, b] = [first, second].map(
      ({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, string>,
    );
    for (const field of ["wrapped_key", "iv", "ciphertext", "tag"]) expect(a?.[field]).not.toBe(b?.[field]);
  });

  it("wipes the data key, also when the encryption fails", async () => {
    const given: Uint8Array[] = [];
    const spying = (change: (key: Uint8Array) => Uint8Array): KeyService => ({
      ...methodsOf(keys),
      generateDataKey: async (input) => {
        const made = await keys.generateDataKey(input);
        const key = change(made.plaintext);
        given.push(key);
        return { ...made, plaintext: key };
      },
    });
    await seal(spying((key) => key));
    await expect(seal(spying((key) => key.subarray(1)))).rejects.toThrow(/key length/i);
    expect(given.map((key) => key.some((byte) => byte !== 0))).toEqual([false, false]);
  });

  it.each([
    ["away", new ConfluxError("unavailable", "x"), 1],
    ["refusing", new ConfluxError("forbidden", "x"), 30],
    ["without the key", new ConfluxError("not_found", "x"), 30],
    [
      "refusing in words of its own",
      Object.assign(new Error("x"), { name: "KeyUnavailableException", $fault: "client" }),
      30,
    ],
  ])(
    "K5 a key service that is %s is key_service_unavailable, with when to come back",
    async (_name, error, retryAfterS) => {
      const service: KeyService = { ...methodsOf(keys), generateDataKey: () => Promise.reject(error) };
      const refusal = (await seal(service).catch((caught: unknown) => caught)) as ConfluxError;
      expect(refusal).toMatchObject({ code: "key_service_unavailable", retryAfterS });
      expect(refusal.message).not.toContain("hunter2");
    },
  );

  it("a defect is not told as the key service's", async () => {
    const service: KeyService = {
      ...methodsOf(keys),
      generateDataKey: () => Promise.reject(new TypeError("x")),
    };
    await expect(seal(service)).rejects.toBeInstanceOf(TypeError);
  });
});

describe("K3 wrapping a data key anew", () => {
  it("makes the envelope that the state will have: other head, same content, and it opens", async () => {
    const { bytes, sealed } = await seal();
    const { sha256: hash, after: head } = await rewrapContent(keys, {
      bytes,
      at: 0,
      identity,
      toKeyId: "alias/two",
    });
    const after = rewrapEnvelope(bytes, head)!;
    expect(sha256(after)).toBe(hash);
    expect(envelopeHead(after)).toEqual(head);
    expect(head.key_id).toBe("alias/two");
    expect(Buffer.from(await open(after))).toEqual(plaintext);
    const { iv, ciphertext, tag } = JSON.parse(Buffer.from(after).toString()) as Record<string, string>;
    const parts = [iv, ciphertext, tag].map((text) => Buffer.from(text ?? "", "base64"));
    expect(sha256(...parts)).toBe(sealed.content_sha256);
  });

  it("for another identity nothing is wrapped", async () => {
    const { bytes } = await seal();
    const wrong = { bytes, at: 0, identity: { ...identity, name: "other" }, toKeyId: "alias/two" };
    await expect(rewrapContent(keys, wrong)).rejects.toMatchObject({ code: "key_service_unavailable" });
  });
});

/** A service's methods, which stand on its class, for a copy with one of them replaced. */
function methodsOf(service: KeyService): KeyService {
  return {
    generateDataKey: (input) => service.generateDataKey(input),
    rewrapDataKey: (input) => service.rewrapDataKey(input),
    decryptDataKey: (input) => service.decryptDataKey(input),
  };
}
