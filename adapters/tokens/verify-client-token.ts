import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import {
  CLIENT_TOKEN_AUDIENCE,
  CLIENT_TOKEN_TYPE,
  type ClientTokenClaims,
  TOKEN_ALGORITHM,
  TOKEN_ISSUER,
} from "../../contracts/access/tokens.ts";
import { CLIENT_TOKEN_TTL_S_MAX, TOKEN_SCOPES_MAX } from "../../contracts/limits.ts";
import { scopesWithinTenant } from "../../domain/access/scope-within-tenant.ts";
import { BoundedCache } from "../../domain/delivery/bounded-cache.ts";

/** Characters of a token; longer ones are refused unread. */
const TOKEN_CHARS_MAX = 16 * 1024;
/** Characters of verified tokens (and about as much again of claims) that are kept. */
const CACHED_TOKEN_CHARS_MAX = 4 * 1024 * 1024;
/** How long a key set is believed before it is read again, so that a key taken out of it stops counting. */
const JWKS_TTL_MS = 10 * 60 * 1000;
/** How long a failed renewal is left alone. */
const JWKS_RETRY_MS = 30_000;
/** How far the issuer's clock may be ahead of this one. */
const CLOCK_SKEW_S_MAX = 60;
/** Reads of the key set in one window: tokens with invented key ids must not become a flood at the issuer. */
const JWKS_READS_MAX = 10;
const JWKS_READ_WINDOW_MS = 10_000;

/** `scopes` are narrowed to the token's tenant (`scopesWithinTenant`). */
export interface VerifiedClientToken extends ClientTokenClaims {
  /** To the second. */
  issued_at_ms: number;
  expires_at_ms: number;
}
/** `keys_unavailable`: not the token's fault; every other reason is a refusal. */
type TokenRefusal = "malformed" | "wrong_kind" | "expired" | "bad_signature" | "keys_unavailable";
export type TokenVerdict = { ok: true; token: VerifiedClientToken } | { ok: false; reason: TokenRefusal };

export interface ClientTokenVerifier {
  /** The claims of a token that is kept and still counts: what `verify` would answer, at once. Null: it must be asked. */
  known(token: string, nowMs: number): VerifiedClientToken | null;
  verify(token: string): Promise<TokenVerdict>;
  /**
   * Work that reads an old key set again, for the caller to keep alive behind its answer; null when nothing is due. It
   * never rejects. Without it a key that was taken out would count for every token already kept.
   */
  renewal(nowMs: number): Promise<unknown> | null;
}

interface Options {
  /** Reads the issuer's key set; may reject. */
  jwks: () => Promise<JSONWebKeySet>;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Told why the key set could not be read; the verdicts alone do not say. */
  onKeysError?: (error: unknown) => void;
}

interface KeySet {
  find: ReturnType<typeof createLocalJWKSet>;
  /** The keys as text: two sets of the same keys are one. */
  identity: string;
}
interface KeptToken {
  text: string;
  token: VerifiedClientToken;
  /** The set it was verified with; with another one it is verified again. */
  identity: string;
}

/**
 * Verifies client tokens: one pinned algorithm, issuer, audience and `typ`; `iat` and `exp` are required and no further
 * apart than a token may live. A verified token is kept until it expires or the key set changes. The set is read when it
 * is missing, old, or lacks a token's key id (so a rotation needs no restart), and kept when the issuer is away.
 * Revocation is the caller's to check, by `jti`.
 */
export function createClientTokenVerifier({ jwks, now, onKeysError }: Options): ClientTokenVerifier {
  const verified = new BoundedCache<KeptToken>(CACHED_TOKEN_CHARS_MAX);
  /** Found last: fleets share tokens, and comparing a long text costs less than looking it up. */
  let latest: KeptToken | null = null;
  const readsMs: number[] = [];
  let keys: (KeySet & { readAtMs: number }) | null = null;
  let renewedAtMs = -Infinity;

  function mayRead(): boolean {
    while (readsMs.length > 0 && now() - (readsMs[0] ?? 0) >= JWKS_READ_WINDOW_MS) readsMs.shift();
    return readsMs.length < JWKS_READS_MAX;
  }

  /** Reads the key set. A failure leaves the old one in force and is answered with false. */
  async function readKeys(): Promise<boolean> {
    if (!mayRead()) return false;
    // Without keys every request of a cold start may read them; only its failures count towards the limit.
    const cold = keys === null;
    if (!cold) readsMs.push(now());
    try {
      const set = await jwks();
      keys = { find: createLocalJWKSet(set), identity: JSON.stringify(set.keys), readAtMs: now() };
      return true;
    } catch (error) {
      // The issuer is away or answers nonsense: known keys stay in force.
      if (cold) readsMs.push(now());
      onKeysError?.(error);
      return false;
    }
  }

  async function verifySignature(token: string): Promise<TokenVerdict> {
    if (keys === null || now() - keys.readAtMs >= JWKS_TTL_MS) await readKeys();
    const first = await verifyAndKeep(token);
    if (first !== "unknown_key") return first;
    const again = (await readKeys()) ? await verifyAndKeep(token) : first;
    return again === "unknown_key" ? { ok: false, reason: "bad_signature" } : again;
  }

  async function verifyAndKeep(token: string): Promise<TokenVerdict | "unknown_key"> {
    // Another request may put a new set in its place meanwhile; the token is kept under the one it was verified with.
    const set = keys;
    if (set === null) return { ok: false, reason: "keys_unavailable" };
    const verdict = await verifyWith(set.find, token, now());
    if (verdict !== "unknown_key" && verdict.ok) {
      verified.set(token, { text: token, token: verdict.token, identity: set.identity }, token.length);
    }
    return verdict;
  }

  function renewal(nowMs: number): Promise<boolean> | null {
    if (keys === null || nowMs - keys.readAtMs < JWKS_TTL_MS || nowMs - renewedAtMs < JWKS_RETRY_MS)
      return null;
    renewedAtMs = nowMs;
    return readKeys();
  }

  function known(token: string, nowMs: number): VerifiedClientToken | null {
    const kept = latest?.text === token ? latest : verified.get(token);
    if (kept === undefined || kept.identity !== keys?.identity) return null;
    latest = kept;
    return kept.token.expires_at_ms > nowMs ? kept.token : null;
  }

  async function verify(token: string): Promise<TokenVerdict> {
    const kept = known(token, now());
    if (kept !== null) return { ok: true, token: kept };
    if (token.length > TOKEN_CHARS_MAX) return { ok: false, reason: "malformed" };
    return verifySignature(token);
  }
  return { known, verify, renewal };
}

async function verifyWith(
  find: KeySet["find"],
  token: string,
  nowMs: number,
): Promise<TokenVerdict | "unknown_key"> {
  try {
    const { payload } = await jwtVerify(token, find, {
      algorithms: [TOKEN_ALGORITHM],
      issuer: TOKEN_ISSUER,
      audience: CLIENT_TOKEN_AUDIENCE,
      typ: CLIENT_TOKEN_TYPE,
      requiredClaims: ["exp", "iat", "sub", "jti"],
      currentDate: new Date(nowMs),
    });
    return readClaims(payload, nowMs);
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return "unknown_key";
    return { ok: false, reason: refusalOf(error) };
  }
}

function readClaims({ sub, jti, exp, iat, ...rest }: JWTPayload, nowMs: number): TokenVerdict {
  const { tenant, scopes } = rest;
  if (
    typeof sub !== "string" ||
    typeof jti !== "string" ||
    typeof exp !== "number" ||
    typeof iat !== "number" ||
    exp - iat > CLIENT_TOKEN_TTL_S_MAX ||
    iat > nowMs / 1000 + CLOCK_SKEW_S_MAX ||
    typeof tenant !== "string" ||
    !Array.isArray(scopes) ||
    scopes.length > TOKEN_SCOPES_MAX ||
    !scopes.every((scope): scope is string => typeof scope === "string")
  ) {
    return { ok: false, reason: "wrong_kind" };
  }
  const within = scopesWithinTenant(scopes, tenant);
  return {
    ok: true,
    token: {
      sub,
      jti,
      tenant,
      scopes: within,
      issued_at_ms: Math.round(iat * 1000),
      expires_at_ms: exp * 1000,
    },
  };
}

function refusalOf(error: unknown): TokenRefusal {
  if (error instanceof errors.JWTExpired) return "expired";
  if (error instanceof errors.JWTClaimValidationFailed) return "wrong_kind";
  if (error instanceof errors.JOSEAlgNotAllowed) return "wrong_kind";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "bad_signature";
  return "malformed";
}
