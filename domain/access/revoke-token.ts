import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import type { TokenRevoked } from "../command/feed-entry.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import { EXPIRED_SWEEP_MAX } from "../limits.ts";

/**
 * Makes every edge refuse a token until it would have expired anyway. Revoking twice is the same as once, and keeps the
 * later expiry. A few revocations whose tokens have expired are cleared away with each call.
 */
export const revokeToken: ApplyVerb<"revoke_token"> = ({ state, command, timestampMs }) => {
  const { jti, expires_at_ms } = command.payload;
  if (jti === "")
    return refuse("validation_failed", "a token id is needed", [{ path: "/jti", message: "empty" }]);
  const before = state.json(stateKey.revocation(jti)) as TokenRevoked | undefined;
  const event: TokenRevoked = {
    type: "token_revoked",
    jti,
    expires_at_ms: Math.max(expires_at_ms, before?.expires_at_ms ?? 0),
  };
  const changes: StateChange[] = sweepExpired(state, timestampMs);
  if (before !== undefined) {
    changes.push({ op: "delete", key: stateKey.revocationExpiry(before.expires_at_ms, jti) });
  }
  changes.push(
    { op: "put_json", key: stateKey.revocation(jti), value: event },
    { op: "put_json", key: stateKey.revocationExpiry(event.expires_at_ms, jti), value: jti },
  );
  return {
    ok: true,
    changes,
    events: [event],
    result: { jti },
    audit: { action: "delete", resource: `${command.tenant}/client-tokens/${jti}`, summary: "revoked" },
  };
};

function sweepExpired(state: StateView, nowMs: number): StateChange[] {
  const changes: StateChange[] = [];
  for (const { key, value } of state.scan(stateKey.revocationExpiryPrefix, { limit: EXPIRED_SWEEP_MAX })) {
    const revoked = state.json(stateKey.revocation(value as string)) as TokenRevoked | undefined;
    if (revoked !== undefined && revoked.expires_at_ms >= nowMs) break;
    changes.push({ op: "delete", key }, { op: "delete", key: stateKey.revocation(value as string) });
  }
  return changes;
}
