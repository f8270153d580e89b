import {
  calculateJwkThumbprint,
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  SignJWT,
} from "jose";
import {
  ACCESS_TOKEN_AUDIENCE,
  ACCESS_TOKEN_TYPE,
  CLIENT_TOKEN_AUDIENCE,
  CLIENT_TOKEN_TYPE,
  REFRESH_TOKEN_TYPE,
  TOKEN_ALGORITHM,
  TOKEN_ISSUER,
} from "../../contracts/access/tokens.ts";
import { CLIENT_TOKEN_TTL_S_MAX } from "../../contracts/limits.ts";
import { type DerivedKeys, deriveKeys } from "./derive-keys.ts";

export const ACCESS_TOKEN_TTL_S = 15 * 60;

/** Keys besides the signing one whose tokens still count. */
export const RETIRED_KEYS_MAX = 8;

/** A private key ready to sign under its `kid` (RFC 7638 thumbprint), and every key that verifies: its own public half first. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwks: JSONWebKeySet;
  readonly derived: DerivedKeys;
}

/** A new Ed25519 private key as JWK: what a deployment keeps as its secret. */
export async function generateSigningJwk(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(TOKEN_ALGORITHM, { crv: "Ed25519", extractable: true });
  return exportJWK(privateKey);
}

/**
 * Imports a private Ed25519 JWK. `retired`: keys that signed before, whose tokens count until they expire or their key is
 * taken out here (rotation with overlap). Throws a TypeError for a key of another kind and a RangeError for too many.
 */
export async function importSigningKey(privateJwk: JWK, retired: readonly JWK[] = []): Promise<SigningKey> {
  if (retired.length > RETIRED_KEYS_MAX) {
    throw new RangeError(`at most ${RETIRED_KEYS_MAX} retired signing keys, got ${retired.length}`);
  }
  const jwks = await publicJwks(privateJwk, ...retired);
  if (privateJwk.d === undefined) throw new TypeError("the signing key must be a private JWK");
  const privateKey = await importJWK({ ...privateJwk, alg: TOKEN_ALGORITHM }, TOKEN_ALGORITHM);
  const kid = jwks.keys[0]?.kid;
  if (privateKey instanceof Uint8Array || kid === undefined)
    throw new TypeError("the signing key must be Ed25519");
  return { kid, privateKey, jwks, derived: await deriveKeys(privateJwk.d) };
}

/** The JWK set that verifies what `jwks` sign, in their order: no private parts; `kid`, `alg` and `use` of each. */
export async function publicJwks(...jwks: readonly JWK[]): Promise<JSONWebKeySet> {
  const keys = await Promise.all(jwks.map(publicJwk));
  return { keys: keys.filter(({ kid }, i) => keys.findIndex((other) => other.kid === kid) === i) };
}

async function publicJwk({ kty, crv, x }: JWK): Promise<JWK> {
  if (kty !== "OKP" || crv !== "Ed25519" || x === undefined) {
    throw new TypeError("the signing key must be an Ed25519 JWK");
  }
  const kid = await calculateJwkThumbprint({ kty, crv, x });
  return { kty, crv, x, kid, alg: TOKEN_ALGORITHM, use: "sig" };
}

interface Signed {
  token: string;
  expiresAtMs: number;
}

/** An access token (control plane) for a user; `jti` is the caller's random id. */
export function signAccessToken(
  key: SigningKey,
  input: { userId: string; username: string; jti: string; nowMs: number; ttlS?: number },
): Promise<Signed> {
  return sign(key, {
    type: ACCESS_TOKEN_TYPE,
    audience: ACCESS_TOKEN_AUDIENCE,
    subject: input.userId,
    jti: input.jti,
    nowMs: input.nowMs,
    ttlS: input.ttlS ?? ACCESS_TOKEN_TTL_S,
    claims: { name: input.username },
  });
}

/**
 * A refresh token of the session `family`: good only for `/auth/refresh`, which looks the user and the session up again.
 * The same input gives the same token.
 */
export function signRefreshToken(
  key: SigningKey,
  input: {
    userId: string;
    username: string;
    family: string;
    jti: string;
    nowMs: number;
    expiresAtMs: number;
  },
): Promise<Signed> {
  return sign(key, {
    type: REFRESH_TOKEN_TYPE,
    audience: ACCESS_TOKEN_AUDIENCE,
    subject: input.userId,
    jti: input.jti,
    nowMs: input.nowMs,
    ttlS: Math.max(1, Math.floor((input.expiresAtMs - input.nowMs) / 1000)),
    claims: { name: input.username, family: input.family },
  });
}

/** A client token (fetch plane). Throws a RangeError for a lifetime over `CLIENT_TOKEN_TTL_S_MAX`. */
export function signClientToken(
  key: SigningKey,
  input: { id: string; tenant: string; scopes: readonly string[]; nowMs: number; ttlS: number },
): Promise<Signed> {
  if (input.ttlS > CLIENT_TOKEN_TTL_S_MAX) {
    throw new RangeError(`a client token lives at most ${CLIENT_TOKEN_TTL_S_MAX} s`);
  }
  return sign(key, {
    type: CLIENT_TOKEN_TYPE,
    audience: CLIENT_TOKEN_AUDIENCE,
    subject: input.id,
    jti: input.id,
    nowMs: input.nowMs,
    ttlS: input.ttlS,
    claims: { tenant: input.tenant, scopes: [...input.scopes] },
  });
}

async function sign(
  key: SigningKey,
  input: {
    type: string;
    audience: string;
    subject: string;
    jti: string;
    nowMs: number;
    ttlS: number;
    claims: Record<string, unknown>;
  },
): Promise<Signed> {
  const issuedAtS = Math.floor(input.nowMs / 1000);
  // To the millisecond: who changes a password or restores a backup goes on within the same second.
  const exactS = Math.floor(input.nowMs) / 1000;
  const token = await new SignJWT(input.claims)
    .setProtectedHeader({ alg: TOKEN_ALGORITHM, typ: input.type, kid: key.kid })
    .setIssuer(TOKEN_ISSUER)
    .setAudience(input.audience)
    .setSubject(input.subject)
    .setJti(input.jti)
    .setIssuedAt(exactS)
    .setExpirationTime(issuedAtS + input.ttlS)
    .sign(key.privateKey);
  return { token, expiresAtMs: (issuedAtS + input.ttlS) * 1000 };
}
