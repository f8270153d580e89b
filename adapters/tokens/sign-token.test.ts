import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { CLIENT_TOKEN_TTL_S_MAX } from "../../contracts/limits.ts";
import {
  ACCESS_TOKEN_TTL_S,
  generateSigningJwk,
  importSigningKey,
  publicJwks,
  RETIRED_KEYS_MAX,
  signAccessToken,
  signClientToken,
  signRefreshToken,
  type SigningKey,
} from "./sign-token.ts";
import { TOKEN_BYTES_MAX, verifyAccessToken, verifyRefreshToken } from "./verify-access-token.ts";
import { createClientTokenVerifier } from "./verify-client-token.ts";

const nowMs = Date.UTC(2026, 0, 1);
const user = { userId: "usr_1", username: "ada", jti: "j1", nowMs };
const UNAUTHENTICATED = { code: "unauthenticated" };
let key: SigningKey;
beforeAll(async () => {
  key = await importSigningKey(await generateSigningJwk());
});

describe("A3 access tokens", () => {
  test("carry the user, verify until they expire and not a second longer", async () => {
    const { token, expiresAtMs } = await signAccessToken(key, user);
    expect(expiresAtMs).toBe(nowMs + ACCESS_TOKEN_TTL_S * 1000);
    const claims = await verifyAccessToken(token, { jwks: key.jwks, nowMs: expiresAtMs - 1000 });
    expect(claims).toEqual({ sub: "usr_1", jti: "j1", name: "ada", issuedAtMs: nowMs });
    await expect(verifyAccessToken(token, { jwks: key.jwks, nowMs: expiresAtMs })).rejects.toMatchObject(
      UNAUTHENTICATED,
    );
  });

  test("refresh, client and access tokens do not pass for each other", async () => {
    const { token: access } = await signAccessToken(key, user);
    const { token: refresh } = await signRefreshToken(key, {
      ...user,
      family: "ses_1",
      expiresAtMs: nowMs + 60_000,
    });
    const { token: client } = await signClientToken(key, {
      id: "demo.1",
      tenant: "demo",
      scopes: ["read:demo/**"],
      nowMs,
      ttlS: 60,
    });
    const at = { jwks: key.jwks, nowMs };
    expect(await verifyRefreshToken(refresh, at)).toMatchObject({ sub: "usr_1", family: "ses_1" });
    for (const token of [refresh, client])
      await expect(verifyAccessToken(token, at)).rejects.toMatchObject(UNAUTHENTICATED);
    for (const token of [access, client])
      await expect(verifyRefreshToken(token, at)).rejects.toMatchObject(UNAUTHENTICATED);
  });

  test("another key, an altered body, no signature, another algorithm, rubbish: refused", async () => {
    const other = await importSigningKey(await generateSigningJwk());
    const { token } = await signAccessToken(key, user);
    const [header = "", , signature = ""] = token.split(".");
    const claims = { ...decodeJwt(token), sub: "usr_2" };
    const forged = [
      (await signAccessToken(other, user)).token,
      `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.${signature}`,
      `${Buffer.from('{"alg":"none","typ":"conflux-access+jwt"}').toString("base64url")}.${token.split(".")[1]}.`,
      await new SignJWT(claims)
        .setProtectedHeader({ alg: "HS256", typ: "conflux-access+jwt", kid: key.kid })
        .sign(new TextEncoder().encode(String(key.jwks.keys[0]?.x))),
      "",
      "a.b.c",
      "x".repeat(TOKEN_BYTES_MAX + 1),
    ];
    for (const bad of forged) {
      await expect(verifyAccessToken(bad, { jwks: key.jwks, nowMs })).rejects.toMatchObject(UNAUTHENTICATED);
    }
  });
});

describe("A3 client tokens and keys", () => {
  test("R13 a client token is issued to the millisecond: one of the second of a restore, but after it, counts", async () => {
    const soonMs = nowMs - (nowMs % 1000) + 789;
    const input = { id: "demo.1", tenant: "demo", scopes: ["read:demo/**"], nowMs: soonMs, ttlS: 60 };
    const { token, expiresAtMs } = await signClientToken(key, input);
    const verifier = createClientTokenVerifier({ now: () => soonMs, jwks: async () => key.jwks });
    expect(await verifier.verify(token)).toMatchObject({
      ok: true,
      token: { issued_at_ms: soonMs, expires_at_ms: expiresAtMs },
    });
  });

  test("a client token names its tenant and scopes and lives a year at most", async () => {
    const input = {
      id: "demo.1",
      tenant: "demo",
      scopes: ["read:demo/**"],
      nowMs,
      ttlS: CLIENT_TOKEN_TTL_S_MAX,
    };
    const { token } = await signClientToken(key, input);
    expect(decodeProtectedHeader(token)).toEqual({ alg: "EdDSA", typ: "conflux-client+jwt", kid: key.kid });
    expect(decodeJwt(token)).toMatchObject({
      iss: "conflux",
      aud: "conflux-edge",
      sub: "demo.1",
      jti: "demo.1",
      tenant: "demo",
      scopes: ["read:demo/**"],
    });
    expect(() => signClientToken(key, { ...input, ttlS: CLIENT_TOKEN_TTL_S_MAX + 1 })).toThrow(RangeError);
  });

  test("the key set has no private part, and its kid is the key's own", async () => {
    const jwk = await generateSigningJwk();
    const { keys } = await publicJwks(jwk);
    expect(Object.keys(keys[0] ?? {}).toSorted()).toEqual(["alg", "crv", "kid", "kty", "use", "x"]);
    expect(await publicJwks({ ...jwk, kid: "named" })).toEqual({ keys });
  });

  test("a retired key verifies what it signed and signs nothing more; too many, or of another kind, are refused", async () => {
    const [oldJwk, newJwk] = [await generateSigningJwk(), await generateSigningJwk()];
    const before = await importSigningKey(oldJwk);
    const { keys: published } = before.jwks;
    const { token } = await signAccessToken(before, user);
    const after = await importSigningKey(newJwk, [...published, ...published]);
    expect(after.jwks.keys.map(({ kid }) => kid)).toEqual([after.kid, before.kid]);
    expect((await verifyAccessToken(token, { jwks: after.jwks, nowMs })).sub).toBe("usr_1");
    expect(decodeProtectedHeader((await signAccessToken(after, user)).token).kid).toBe(after.kid);
    const gone = await importSigningKey(newJwk);
    await expect(verifyAccessToken(token, { jwks: gone.jwks, nowMs })).rejects.toMatchObject(UNAUTHENTICATED);
    const many = Array.from({ length: RETIRED_KEYS_MAX + 1 }, () => oldJwk);
    await expect(importSigningKey(newJwk, many)).rejects.toThrow(RangeError);
    await expect(importSigningKey(newJwk, [{ kty: "EC" }])).rejects.toThrow(TypeError);
  });

  test("a key that is public or of another kind is refused", async () => {
    const { d: _private, ...publicPart } = await generateSigningJwk();
    await expect(importSigningKey(publicPart)).rejects.toThrow(TypeError);
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    await expect(importSigningKey(await exportJWK(privateKey))).rejects.toThrow(TypeError);
  });
});
