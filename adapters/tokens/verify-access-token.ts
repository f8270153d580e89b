import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import {
  ACCESS_TOKEN_AUDIENCE,
  ACCESS_TOKEN_TYPE,
  type AccessTokenClaims,
  REFRESH_TOKEN_TYPE,
  TOKEN_ALGORITHM,
  TOKEN_ISSUER,
} from "../../contracts/access/tokens.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";

/** Bytes of a token that is looked at at all. */
export const TOKEN_BYTES_MAX = 8 * 1024;

export type VerifiedAccess = AccessTokenClaims & { issuedAtMs: number };
/** `family`: the session it belongs to. */
export type VerifiedRefresh = VerifiedAccess & { family: string };

/** Checks signature, algorithm, type, issuer, audience and time of an access token; else `unauthenticated`. */
export function verifyAccessToken(
  token: string,
  input: { jwks: JSONWebKeySet; nowMs: number },
): Promise<VerifiedAccess> {
  return verify(token, ACCESS_TOKEN_TYPE, input).then(({ claims }) => claims);
}

/** The same for a refresh token. Neither passes for the other. */
export async function verifyRefreshToken(
  token: string,
  input: { jwks: JSONWebKeySet; nowMs: number },
): Promise<VerifiedRefresh> {
  const { claims, payload } = await verify(token, REFRESH_TOKEN_TYPE, input);
  const family = payload["family"];
  // One of a version before sessions were kept.
  if (typeof family !== "string") throw new ConfluxError("unauthenticated", "The token has expired.");
  return { ...claims, family };
}

async function verify(
  token: string,
  type: string,
  input: { jwks: JSONWebKeySet; nowMs: number },
): Promise<{ claims: VerifiedAccess; payload: JWTPayload }> {
  if (token.length > TOKEN_BYTES_MAX) throw new ConfluxError("unauthenticated", "The token is too long.");
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet(input.jwks), {
      algorithms: [TOKEN_ALGORITHM],
      typ: type,
      issuer: TOKEN_ISSUER,
      audience: ACCESS_TOKEN_AUDIENCE,
      currentDate: new Date(input.nowMs),
      requiredClaims: ["sub", "jti", "iat", "exp", "name"],
    });
    const { sub, jti, iat } = payload;
    const name = payload["name"];
    if (sub === undefined || jti === undefined || iat === undefined || typeof name !== "string") {
      throw new ConfluxError("unauthenticated", "The token lacks a claim.");
    }
    return { claims: { sub, jti, name, issuedAtMs: Math.round(iat * 1000) }, payload };
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      throw new ConfluxError("unauthenticated", "The token has expired.", { cause: error });
    }
    if (error instanceof errors.JOSEError) {
      throw new ConfluxError("unauthenticated", "The token is not valid here.", { cause: error });
    }
    throw error;
  }
}
