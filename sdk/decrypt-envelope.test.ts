import { createDecipheriv } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sealContent } from "../adapters/kms/seal-content.ts";
import { MemoryKeyService } from "../adapters/memory/memory-key-service.ts";
import {
  type DecryptDataKey,
  decryptEnvelope,
  type EnvelopeError,
  type EnvelopeFault,
} from "./decrypt-envelope.ts";
import { ENVELOPE_VECTOR } from "./envelope-vector.ts";

const keys = new MemoryKeyService(["alias/one", "alias/two"]);
const identity = { tenant: "demo", app: "shop", env: "prod", name: "db.json" };
const CONFIG = "demo/shop/prod/db.json";

const seal = async (plaintext: Uint8Array, name = identity.name) =>
  (await sealContent(keys, { keyId: "alias/one", identity: { ...identity, name }, plaintext })).bytes;
const withKeys =
  (service: MemoryKeyService): DecryptDataKey =>
  (wrapped, keyId, context) =>
    service.decryptDataKey({ keyId, wrapped, context: { ...context } });
const open = (body: Uint8Array | string, more: { config?: string; decryptDataKey?: DecryptDataKey } = {}) =>
  decryptEnvelope({ body, config: CONFIG, decryptDataKey: withKeys(keys), ...more });

async function faultOf(action: Promise<unknown>): Promise<EnvelopeFault | "opened"> {
  try {
    await action;
    return "opened";
  } catch (error) {
    expect(error).toMatchObject({ name: "EnvelopeError" });
    return (error as EnvelopeError).fault;
  }
}

type Fields = Record<string, string> & { context?: unknown };
const parse = (body: Uint8Array): Fields => JSON.parse(Buffer.from(body).toString()) as Fields;

describe("K4 the SDK opens what the core sealed", () => {
  it("any content, from bytes and from text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (plaintext) => {
        const body = await seal(plaintext);
        expect(await open(body)).toEqual(new Uint8Array(plaintext));
        expect(await open(Buffer.from(body).toString())).toEqual(new Uint8Array(plaintext));
      }),
      { numRuns: 50 },
    );
    const large = new Uint8Array(5 * 1024 * 1024).fill(7);
    expect(Buffer.from(await open(await seal(large))).equals(large)).toBe(true);
  });

  it("wipes the data key it was given, whether the envelope opens or not", async () => {
    const body = await seal(Buffer.from("x"));
    const given: Uint8Array[] = [];
    const spy: DecryptDataKey = async (...asked) => {
      const key = await withKeys(keys)(...asked);
      given.push(key);
      return key;
    };
    await open(body, { decryptDataKey: spy });
    const broken = JSON.stringify({ ...parse(body), iv: "AAAAAAAAAAAAAAAA" });
    expect(await faultOf(open(broken, { decryptDataKey: spy }))).toBe("not_authentic");
    expect(given.map((key) => key.some((byte) => byte !== 0))).toEqual([false, false]);
  });
});

describe("K4 the vector for other languages", () => {
  it("is an envelope as the core makes it, and opens with the values beside it", async () => {
    const { body, config, dataKey, additionalData, plaintext } = ENVELOPE_VECTOR;
    const key = Buffer.from(dataKey, "hex");
    const opened = await open(body, { config, decryptDataKey: async () => new Uint8Array(key) });
    expect(Buffer.from(opened).toString()).toBe(plaintext);
    const { iv, ciphertext, tag } = parse(Buffer.from(body));
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(iv ?? "", "base64"))
      .setAAD(Buffer.from(additionalData))
      .setAuthTag(Buffer.from(tag ?? "", "base64"));
    expect(decipher.update(ciphertext ?? "", "base64", "utf8") + decipher.final("utf8")).toBe(plaintext);
  });
});

describe("K1 nothing else opens", () => {
  it("no bit of any field can be flipped", async () => {
    const body = await seal(Buffer.from("a secret"));
    const fields = parse(body);
    const field = fc.constantFrom("wrapped_key", "iv", "ciphertext", "tag");
    await fc.assert(
      fc.asyncProperty(field, fc.nat(), async (name, chance) => {
        const bytes = Buffer.from(fields[name] ?? "", "base64");
        const bit = chance % (bytes.byteLength * 8);
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const changed = { ...fields, [name]: bytes.toString("base64") };
        const fault = await faultOf(open(JSON.stringify(changed)));
        expect(fault).toBe(name === "wrapped_key" ? "key_refused" : "not_authentic");
      }),
      { numRuns: 300 },
    );
  });

  it("no byte of the body can be changed into another and be read as the same content", async () => {
    const plaintext = Buffer.from("a secret");
    const body = await seal(plaintext);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: body.byteLength - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, xor) => {
          const changed = Uint8Array.from(body);
          changed[at] = (changed[at] ?? 0) ^ xor;
          expect(await faultOf(open(changed))).not.toBe("opened");
        },
      ),
      { numRuns: 500 },
    );
  });

  it("not as another config, by whoever serves it or by a context that was changed", async () => {
    const body = await seal(Buffer.from("a secret"));
    const other = await seal(Buffer.from("another"), "other.json");
    const asked: unknown[] = [];
    const spy: DecryptDataKey = (...input) => {
      asked.push(input);
      return withKeys(keys)(...input);
    };
    expect(await faultOf(open(other, { decryptDataKey: spy }))).toBe("other_config");
    expect(await faultOf(open(body, { config: "demo/shop/prod/other.json", decryptDataKey: spy }))).toBe(
      "other_config",
    );
    // The key service is not even asked.
    expect(asked).toEqual([]);
    const relabelled = JSON.stringify({ ...parse(other), context: identity });
    expect(await faultOf(open(relabelled))).toBe("key_refused");
    // A key service that would not look at the context: then the cipher does.
    const careless: DecryptDataKey = (wrapped, keyId) =>
      keys.decryptDataKey({ keyId, wrapped, context: { ...identity, name: "other.json" } });
    expect(await faultOf(open(relabelled, { decryptDataKey: careless }))).toBe("not_authentic");
  });

  it("not with parts of two envelopes, nor with another key, nor with another service's", async () => {
    const [first, second] = [await seal(Buffer.from("one")), await seal(Buffer.from("two"))].map(parse);
    for (const name of ["wrapped_key", "iv", "ciphertext", "tag"]) {
      const mixed = { ...first, [name]: second?.[name] };
      expect(await faultOf(open(JSON.stringify(mixed)))).toBe("not_authentic");
    }
    const named = JSON.stringify({ ...first, key_id: "alias/two" });
    expect(await faultOf(open(named))).toBe("key_refused");
    const others = withKeys(new MemoryKeyService(["alias/one"]));
    expect(await faultOf(open(JSON.stringify(first), { decryptDataKey: others }))).toBe("key_refused");
    const wrong: DecryptDataKey = async () => new Uint8Array(32);
    expect(await faultOf(open(JSON.stringify(first), { decryptDataKey: wrong }))).toBe("not_authentic");
    const short: DecryptDataKey = async () => new Uint8Array(16);
    expect(await faultOf(open(JSON.stringify(first), { decryptDataKey: short }))).toBe("not_authentic");
  });

  const changes: [string, (fields: Fields) => unknown][] = [
    ["another algorithm", (f) => ({ ...f, alg: "A128GCM" })],
    ["a field more", (f) => ({ ...f, more: 1 })],
    ["a field missing", ({ tag: _tag, ...f }) => f],
    ["a shorter tag", (f) => ({ ...f, tag: "AAAA" })],
    ["an iv of another length", (f) => ({ ...f, iv: "AAAA" })],
    ["base64url", (f) => ({ ...f, iv: "-_-_-_-_-_-_-_-_" })],
    ["another spelling of the same bytes", (f) => ({ ...f, tag: `${(f["tag"] ?? "").slice(0, 21)}B==` })],
    ["a context with a slash", (f) => ({ ...f, context: { ...identity, app: "shop/prod", env: "x" } })],
    ["a context with a name more", (f) => ({ ...f, context: { ...identity, more: "x" } })],
    ["no context", (f) => ({ ...f, context: null })],
    ["a list", (f) => [f]],
    ["nothing", () => null],
  ];
  it.each(changes)("%s is no envelope", async (_name, change) => {
    const fields = parse(await seal(Buffer.from("a secret")));
    expect(await faultOf(open(JSON.stringify(change(fields))))).toBe("malformed");
  });

  it("a body that is no JSON is refused without a word of it", async () => {
    for (const body of ["hunter2", new Uint8Array([0xff])]) {
      const error = (await open(body).catch((caught: unknown) => caught)) as EnvelopeError;
      expect([error.fault, error.message.includes("hunter"), error.cause]).toEqual([
        "malformed",
        false,
        undefined,
      ]);
    }
  });
});
