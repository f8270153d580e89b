/** What has become of a client token. `ended`: by a restore from a backup, which ends all that were issued before. */
export const CLIENT_TOKEN_STATUSES = ["active", "revoked", "ended", "expired"] as const;
export type ClientTokenStatus = (typeof CLIENT_TOKEN_STATUSES)[number];

interface ClientTokenTimes {
  issuedAtMs: number;
  expiresAtMs: number;
  revokedAtMs: number | null;
}

/**
 * What a token is good for now, as the edge judges it, to the millisecond. A revocation that a restore has undone stays
 * one: such a token is older than the restore.
 */
export function clientTokenState(
  { issuedAtMs, expiresAtMs, revokedAtMs }: ClientTokenTimes,
  { nowMs, tokensNotBeforeMs }: { nowMs: number; tokensNotBeforeMs: number },
): { status: ClientTokenStatus; endedAtMs: number | null } {
  const hasEnded = issuedAtMs < tokensNotBeforeMs && tokensNotBeforeMs < expiresAtMs;
  const endedAtMs = hasEnded ? tokensNotBeforeMs : null;
  if (revokedAtMs !== null) return { status: "revoked", endedAtMs };
  if (hasEnded) return { status: "ended", endedAtMs };
  return { status: expiresAtMs <= nowMs ? "expired" : "active", endedAtMs };
}
