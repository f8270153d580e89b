import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sealEnvelope } from "../adapters/kms/envelope.ts";
import type { KeyService } from "../adapters/kms/key-service.ts";
import { MemoryKeyService } from "../adapters/memory/memory-key-service.ts";
import { ConfluxError } from "../contracts/problem/error-codes.ts";
import { TOKEN_KEY_ALIAS } from "./names.ts";
import { StartRefusal } from "./refusal.ts";
import { loadSecrets } from "./secrets.ts";
import { loadSigningKey } from "./signing-key.ts";

let dir: string;
let paths: { secrets: string; signingKey: string };
let keys: KeyService;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "conflux-signing-"));
  paths = { secrets: join(dir, "secrets.json"), signingKey: join(dir, "token-signing-key.json") };
  keys = new MemoryKeyService([TOKEN_KEY_ALIAS, "other"]);
});
afterEach(() => rmSync(dir, { recursive: true }));

const load = (with_ = keys) => loadSigningKey({ paths, secrets: loadSecrets(paths.secrets), keys: with_ });
const onDisk = (): string =>
  readdirSync(dir)
    .map((name) => readFileSync(join(dir, name), "utf8"))
    .join("\n");
const plainJwk = () => ({
  ...generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }),
  kid: "old",
});
/** Secrets as an earlier version wrote them: the key in plaintext, and no local KMS. */
function writeOldSecrets(jwk: object): void {
  const { kms_access_key_id: _, ...rest } = loadSecrets(paths.secrets);
  writeFileSync(paths.secrets, JSON.stringify({ ...rest, token_signing_jwk: jwk }));
}

describe("K1 the token signing key at rest", () => {
  test("is made once, opens again, and stands nowhere in plaintext", async () => {
    const jwk = await load();
    expect(await load()).toEqual(jwk);
    expect(jwk).toMatchObject({ kty: "OKP", crv: "Ed25519", alg: "EdDSA" });
    expect(onDisk()).not.toContain(jwk.d);
    expect(onDisk()).not.toMatch(/"d"\s*:/);
    expect(statSync(paths.signingKey).mode & 0o777).toBe(0o600);
  });

  test("a plaintext key of an earlier version is sealed, stays the same key, and is gone", async () => {
    const old = plainJwk();
    writeOldSecrets(old);
    expect((await load()).d).toBe(old.d);
    expect(onDisk()).not.toContain(String(old.d));
    expect(loadSecrets(paths.secrets)).not.toHaveProperty("token_signing_jwk");
    expect((await load()).d).toBe(old.d);
  });

  test("a start that ended between sealing and removing is finished by the next", async () => {
    const old = plainJwk();
    writeOldSecrets(old);
    const plaintext = Buffer.from(JSON.stringify(old));
    const context = { purpose: "token-signing-key" };
    const envelope = await sealEnvelope(keys, { keyId: TOKEN_KEY_ALIAS, context, plaintext });
    writeFileSync(paths.signingKey, JSON.stringify(envelope));
    expect((await load()).d).toBe(old.d);
    expect(onDisk()).not.toContain(String(old.d));
  });

  test("two different keys are refused and both stay", async () => {
    const { d } = await load();
    const old = plainJwk();
    writeOldSecrets(old);
    await expect(load()).rejects.toThrow(/hold different signing keys/);
    expect(onDisk()).toContain(String(old.d));
    rmSync(paths.secrets);
    expect((await load()).d).toBe(d);
  });

  test("with KMS away nothing is written and the plaintext stays", async () => {
    const old = plainJwk();
    writeOldSecrets(old);
    const error = new ConfluxError("unavailable", "away");
    const away: KeyService = {
      generateDataKey: () => Promise.reject(error),
      rewrapDataKey: () => Promise.reject(error),
      decryptDataKey: () => Promise.reject(error),
    };
    await expect(load(away)).rejects.toThrow(/The KMS does not answer/);
    expect(readdirSync(dir)).toEqual(["secrets.json"]);
    expect((await load()).d).toBe(old.d);
    await expect(load(away)).rejects.toBeInstanceOf(StartRefusal);
  });

  test.each([
    ["other keys of the same name", async () => load(new MemoryKeyService([TOKEN_KEY_ALIAS]))],
    [
      "a flipped bit",
      async () => {
        const text = readFileSync(paths.signingKey, "utf8");
        const { ciphertext } = JSON.parse(text) as { ciphertext: string };
        const bytes = Buffer.from(ciphertext, "base64url");
        bytes.writeUInt8(bytes.readUInt8(7) ^ 1, 7);
        writeFileSync(paths.signingKey, text.replace(ciphertext, bytes.toString("base64url")));
        return load();
      },
    ],
    [
      "an envelope of another purpose",
      async () => {
        const plaintext = Buffer.from(JSON.stringify(plainJwk()));
        const sealed = { keyId: TOKEN_KEY_ALIAS, context: { purpose: "another" }, plaintext };
        writeFileSync(paths.signingKey, JSON.stringify(await sealEnvelope(keys, sealed)));
        return load();
      },
    ],
    [
      "a file that is no envelope",
      async () => {
        writeFileSync(paths.signingKey, "{}");
        return load();
      },
    ],
  ])("%s opens nothing, is refused in one sentence, and the file stays", async (_name, attempt) => {
    await load();
    const refused = attempt();
    await expect(refused).rejects.toBeInstanceOf(StartRefusal);
    await expect(refused).rejects.toThrow(/cannot be opened by the keys of this KMS/);
    expect(readdirSync(dir)).toContain("token-signing-key.json");
  });

  test("a KMS without the key says which one to make", async () => {
    await expect(load(new MemoryKeyService([]))).rejects.toThrow(/has no key alias\/conflux-token-signing/);
  });
});
