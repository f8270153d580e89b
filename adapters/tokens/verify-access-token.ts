import { createLocalJWKSet, errors, type JSONWebKeySet, jwtVerify } from "jose";
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

/** Checks signature, algorithm, type, issuer, audience and time of an access token; else `unauthenticated`. */
export function verifyAccessToken(
  token: string,
  input: { jwks: JSONWebKeySet; nowMs: number },
): Promise<VerifiedAccess> {
  return verify(token, ACCESS_TOKEN_TYPE, input);
}

/** The same for a refresh token. Neither passes for the other. */
export function verifyRefreshToken(
  token: string,
  input: { jwks: JSONWebKeySet; nowMs: number },
): Promise<VerifiedAccess> {
  return verify(token, REFRESH_TOKEN_TYPE, input);
}

async function verify(
  token: string,
  type: string,
  input: { jwks: JSONWebKeySet; nowMs: number },
): Promise<VerifiedAccess> {
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
    return { sub, jti, name, issuedAtMs: iat * 1000 };
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
