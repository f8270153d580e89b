import type { VerifiedClientToken } from "../../adapters/tokens/verify-client-token.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { unavailable } from "./deadline.ts";
import type { Exchange } from "./exchange.ts";

const BEARER = "bearer ";

/** The token of `Authorization: Bearer <token>`; null without one. */
export function bearerToken({ headers: { authorization: header } }: Exchange): string | null {
  if (header === null) return null;
  const isBearer = header.startsWith("Bearer ") || header.slice(0, BEARER.length).toLowerCase() === BEARER;
  if (!isBearer) return null;
  const token = header.slice(BEARER.length).trim();
  return token === "" ? null : token;
}

/** Who is asking, when the token has been verified before and still counts; null for a token that `authenticate` must judge. */
export function authenticateAtOnce(exchange: Exchange, token: string | null): VerifiedClientToken | null {
  if (token === null) return null;
  renewKeys(exchange);
  return exchange.isolate.verifier.known(token, exchange.nowMs);
}

/** Reads an old key set again behind the answer. */
function renewKeys(exchange: Exchange): void {
  const renewal = exchange.isolate.verifier.renewal(exchange.nowMs);
  if (renewal !== null) exchange.after.waitUntil(renewal);
}

/**
 * Who is asking. Throws `unauthenticated` for a missing, bad, foreign or expired token and `unavailable` when the keys to
 * judge it could never be read. Whether it is revoked is known only with the head: `refuseRevoked`.
 */
export async function authenticate(exchange: Exchange, token: string | null): Promise<VerifiedClientToken> {
  if (token === null) throw new ConfluxError("unauthenticated", "the request carries no bearer token");
  renewKeys(exchange);
  const verdict = await exchange.isolate.verifier.verify(token);
  if (verdict.ok) return verdict.token;
  if (verdict.reason === "keys_unavailable") throw unavailable("tokens cannot be verified yet");
  const expired = verdict.reason === "expired";
  throw new ConfluxError(
    "unauthenticated",
    expired ? "the token has expired" : "the token is not valid here",
  );
}

/** Throws `unauthenticated` for a token that the region's head knows as revoked, or as called in with all of its time. */
export function refuseRevoked(exchange: Exchange, token: VerifiedClientToken): void {
  if (exchange.region.head.isRevoked({ jti: token.jti, issuedAtMs: token.issued_at_ms })) {
    throw revokedToken();
  }
}

export function revokedToken(): ConfluxError {
  return new ConfluxError("unauthenticated", "the token has been revoked");
}
