import { and, eq } from "drizzle-orm";
import {
  exchangeToken,
  judgeRefresh,
  type RefreshVerdict,
  type SessionFamily,
} from "../../domain/access/session-family.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { sessionFamilies } from "../../migrations/schema.ts";
import { readSessionUser, type SessionUser } from "./find-session-user.ts";
import type { Transaction } from "./with-tenant.ts";

/** `ended`: there is no such session any more, or its user may not go on. */
export type RefreshOutcome =
  | { verdict: "exchange" | "repeat"; user: SessionUser; usedAtMs: number; expiresAtMs: number }
  | { verdict: Exclude<RefreshVerdict, "exchange" | "repeat"> | "ended" };

/**
 * Judges a refresh token, of which the digest is given, and moves its session on; the session's row is locked meanwhile, so
 * that of two at once the second is a repetition. Reuse ends the session.
 */
export async function refreshSession(
  tx: Transaction,
  input: {
    family: string;
    userId: string;
    issuedAtMs: number;
    digest: string;
    /** Digest of the token that this one is exchanged for. */
    successor: string;
    isCode: boolean;
    nowMs: number;
  },
): Promise<RefreshOutcome> {
  const ofFamily = and(
    eq(sessionFamilies.tenantId, SYSTEM_TENANT),
    eq(sessionFamilies.id, input.family),
    eq(sessionFamilies.userId, input.userId),
  );
  const [row] = await tx.select().from(sessionFamilies).where(ofFamily).for("update");
  if (row === undefined) return { verdict: "ended" };
  const verdict = judgeRefresh(toFamily(row), input.digest, input.nowMs);
  const user = await readSessionUser(tx, input.userId);
  const mayGoOn = user !== null && user.isActive && input.issuedAtMs >= user.tokensNotBeforeMs;
  if (verdict === "reuse" || verdict === "expired" || !mayGoOn) {
    await tx.delete(sessionFamilies).where(ofFamily);
    return { verdict: verdict === "reuse" || verdict === "expired" ? verdict : "ended" };
  }
  if (verdict === "repeat") {
    // The key that successors are derived with was changed in between: there is no way to answer the same one again.
    if (row.currentDigest !== input.successor) return { verdict: "ended" };
    return { verdict, user, usedAtMs: row.usedAt.getTime(), expiresAtMs: row.expiresAt.getTime() };
  }
  // Tokens may have been called in by a clock ahead of this one: what is signed before that would be dead.
  const usedAtMs = Math.max(input.nowMs, user.tokensNotBeforeMs);
  const next = exchangeToken(toFamily(row), input.successor, usedAtMs, input.isCode);
  await tx
    .update(sessionFamilies)
    .set({
      currentDigest: next.current,
      previousDigest: next.previous,
      repeatUntil: new Date(next.repeatUntilMs),
      usedAt: new Date(usedAtMs),
      expiresAt: new Date(next.expiresAtMs),
    })
    .where(ofFamily);
  return { verdict, user, usedAtMs, expiresAtMs: next.expiresAtMs };
}

function toFamily(row: typeof sessionFamilies.$inferSelect): SessionFamily {
  return {
    current: row.currentDigest,
    previous: row.previousDigest,
    repeatUntilMs: row.repeatUntil.getTime(),
    startedAtMs: row.startedAt.getTime(),
    expiresAtMs: row.expiresAt.getTime(),
  };
}
