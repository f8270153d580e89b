import { exportJWK, generateKeyPair, type JSONWebKeySet, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { CLIENT_TOKEN_TTL_S_MAX } from "../../contracts/limits.ts";
import { createClientTokenVerifier } from "./verify-client-token.ts";

const NOW_MS = 1_800_000_000_000;

async function makeIssuer(kid: string, alg = "EdDSA") {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: "sig" };
  const issue = (changes: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
    new SignJWT({
      iss: "conflux",
      aud: "conflux-edge",
      sub: "t1",
      jti: "j1",
      tenant: "demo",
      scopes: ["read:demo/**"],
      iat: NOW_MS / 1000 - 5,
      exp: NOW_MS / 1000 + 60,
      ...changes,
    })
      .setProtectedHeader({ alg, kid, typ: "conflux-client+jwt", ...header })
      .sign(privateKey);
  return { jwk, issue };
}

function makeVerifier(initial: JSONWebKeySet) {
  const state = { keys: initial, away: false, reads: 0, nowMs: NOW_MS };
  const verifier = createClientTokenVerifier({
    now: () => state.nowMs,
    jwks: () => {
      state.reads += 1;
      return state.away ? Promise.reject(new Error("away")) : Promise.resolve(state.keys);
    },
  });
  return {
    state,
    known: (token: string) => verifier.known(token, state.nowMs),
    verify: (token: string) => verifier.verify(token),
    renewal: () => verifier.renewal(state.nowMs),
  };
}

describe("client token verifier", () => {
  it("E2 accepts a client token and reads the keys once", async () => {
    const issuer = await makeIssuer("k1");
    const { state, verify } = makeVerifier({ keys: [issuer.jwk] });
    const token = await issuer.issue();
    for (let i = 0; i < 3; i += 1) {
      expect(await verify(token)).toEqual({
        ok: true,
        token: {
          sub: "t1",
          jti: "j1",
          tenant: "demo",
          scopes: ["read:demo/**"],
          issued_at_ms: NOW_MS - 5_000,
          expires_at_ms: NOW_MS + 60_000,
        },
      });
    }
    expect(state.reads).toBe(1);
  });

  it.each([
    ["another audience", { aud: "conflux-admin" }, {}, "wrong_kind"],
    ["another issuer", { iss: "else" }, {}, "wrong_kind"],
    ["an access token's typ", {}, { typ: "conflux-access+jwt" }, "wrong_kind"],
    ["no typ", {}, { typ: undefined }, "wrong_kind"],
    ["an expired token", { exp: NOW_MS / 1000 }, {}, "expired"],
    ["no expiry", { exp: undefined }, {}, "wrong_kind"],
    ["no time of issue", { iat: undefined }, {}, "wrong_kind"],
    ["a life longer than any token's", { exp: NOW_MS / 1000 + CLIENT_TOKEN_TTL_S_MAX }, {}, "wrong_kind"],
    ["a token from the future", { iat: NOW_MS / 1000 + 61 }, {}, "wrong_kind"],
    ["no tenant", { tenant: undefined }, {}, "wrong_kind"],
    ["scopes of another shape", { scopes: "read:demo/**" }, {}, "wrong_kind"],
    ["too many scopes", { scopes: Array.from({ length: 51 }, () => "read:demo/**") }, {}, "wrong_kind"],
  ])("E2 refuses %s", async (_, changes, header, reason) => {
    const issuer = await makeIssuer("k1");
    const { verify } = makeVerifier({ keys: [issuer.jwk] });
    expect(await verify(await issuer.issue(changes, header))).toEqual({ ok: false, reason });
  });

  it("E2 refuses another algorithm, a foreign signature and what is no token", async () => {
    const issuer = await makeIssuer("k1");
    const foreign = await makeIssuer("k1");
    const rsa = await makeIssuer("k1", "RS256");
    const { verify } = makeVerifier({ keys: [issuer.jwk, rsa.jwk] });
    expect(await verify(await foreign.issue())).toEqual({ ok: false, reason: "bad_signature" });
    expect(await verify(await rsa.issue())).toEqual({ ok: false, reason: "wrong_kind" });
    const [header, payload, signature] = (await issuer.issue()).split(".");
    const none = btoa(JSON.stringify({ alg: "none", typ: "conflux-client+jwt" }));
    for (const token of ["", "a.b.c", `${header}.${payload}.`, `${none}.${payload}.`, "x".repeat(20_000)]) {
      expect(await verify(token)).toMatchObject({ ok: false });
    }
    expect(await verify(`${header}.${payload}.${signature}`)).toMatchObject({ ok: true });
  });

  it("E2 stops accepting a kept token when it expires", async () => {
    const issuer = await makeIssuer("k1");
    const { state, verify } = makeVerifier({ keys: [issuer.jwk] });
    const token = await issuer.issue();
    expect(await verify(token)).toMatchObject({ ok: true });
    state.nowMs += 60_000;
    expect(await verify(token)).toEqual({ ok: false, reason: "expired" });
  });

  it("E2 knows at once only a token that it has verified, until it expires or its key is gone", async () => {
    const issuer = await makeIssuer("k1");
    const { state, known, verify, renewal } = makeVerifier({ keys: [issuer.jwk] });
    const [token, short] = [await issuer.issue({ exp: NOW_MS / 1000 + 3600 }), await issuer.issue()];
    expect(known(token)).toBeNull();
    for (const one of [token, short]) {
      const verdict = await verify(one);
      expect(verdict).toEqual({ ok: true, token: known(one) });
    }
    expect(known(`${token}x`)).toBeNull();
    state.nowMs += 61_000;
    expect(known(short)).toBeNull();
    expect(known(token)).not.toBeNull();
    state.keys = { keys: [(await makeIssuer("k2")).jwk] };
    state.nowMs += 600_000;
    await renewal();
    expect(known(token)).toBeNull();
  });

  it("E2 follows a rotation and drops a withdrawn key in time", async () => {
    const [old, fresh] = [await makeIssuer("k1"), await makeIssuer("k2")];
    const { state, verify } = makeVerifier({ keys: [old.jwk] });
    expect(await verify(await old.issue())).toMatchObject({ ok: true });
    state.keys = { keys: [fresh.jwk] };
    expect(await verify(await fresh.issue())).toMatchObject({ ok: true });
    expect(state.reads).toBe(2);
    expect(await verify(await old.issue({ jti: "j2" }))).toEqual({ ok: false, reason: "bad_signature" });
  });

  it("E2 reads the keys again after their time, and keeps them when the issuer is away", async () => {
    const issuer = await makeIssuer("k1");
    const { state, verify } = makeVerifier({ keys: [issuer.jwk] });
    expect(await verify(await issuer.issue())).toMatchObject({ ok: true });
    state.nowMs += 11 * 60 * 1000;
    state.away = true;
    const exp = state.nowMs / 1000 + 60;
    expect(await verify(await issuer.issue({ exp }))).toMatchObject({ ok: true });
    expect(state.reads).toBe(2);
  });

  it("E2 drops a kept token once a renewal no longer finds its key, and tries once while the issuer is away", async () => {
    const [old, fresh] = [await makeIssuer("k1"), await makeIssuer("k2")];
    const { state, verify, renewal } = makeVerifier({ keys: [old.jwk, fresh.jwk] });
    const exp = NOW_MS / 1000 + 24 * 60 * 60;
    const [stays, goes] = [await fresh.issue({ exp }), await old.issue({ exp })];
    expect(await verify(goes)).toMatchObject({ ok: true });
    expect(await verify(stays)).toMatchObject({ ok: true });
    expect(renewal()).toBeNull();
    state.keys = { keys: [fresh.jwk] };
    state.away = true;
    state.nowMs += 10 * 60 * 1000;
    expect(await renewal()).toBe(false);
    expect(renewal()).toBeNull();
    expect(await verify(goes)).toMatchObject({ ok: true });
    state.away = false;
    state.nowMs += 30_000;
    expect(await renewal()).toBe(true);
    expect(await verify(goes)).toEqual({ ok: false, reason: "bad_signature" });
    expect(await verify(stays)).toMatchObject({ ok: true });
  });

  it("E2 does not let invented key ids flood the issuer", async () => {
    const [issuer, forger] = [await makeIssuer("k1"), await makeIssuer("k1")];
    const { state, verify } = makeVerifier({ keys: [issuer.jwk] });
    for (let i = 0; i < 30; i += 1) {
      expect(await verify(await forger.issue({}, { kid: `x${i}` }))).toEqual({
        ok: false,
        reason: "bad_signature",
      });
    }
    expect(state.reads).toBe(1 + 10);
  });

  it("A7 says so when it never had keys, and recovers", async () => {
    const issuer = await makeIssuer("k1");
    const { state, verify } = makeVerifier({ keys: [issuer.jwk] });
    state.away = true;
    const token = await issuer.issue();
    expect(await verify(token)).toEqual({ ok: false, reason: "keys_unavailable" });
    state.away = false;
    expect(await verify(token)).toMatchObject({ ok: true });
  });
});
