import { and, asc, desc, eq, inArray, lt } from "drizzle-orm";
import { SESSION_SWEEP_MAX, SESSIONS_PER_USER_MAX } from "../../contracts/limits.ts";
import type { SessionFamily } from "../../domain/access/session-family.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { sessionFamilies } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Begins a session of a user. The longest unused of more than `SESSIONS_PER_USER_MAX` end, and a few expired rows go. */
export async function startSession(
  tx: Transaction,
  input: { id: string; userId: string; family: SessionFamily; nowMs: number },
): Promise<void> {
  const { id, userId, family, nowMs } = input;
  await tx.insert(sessionFamilies).values({
    tenantId: SYSTEM_TENANT,
    id,
    userId,
    currentDigest: family.current,
    previousDigest: family.previous,
    repeatUntil: new Date(family.repeatUntilMs),
    startedAt: new Date(family.startedAtMs),
    usedAt: new Date(nowMs),
    expiresAt: new Date(family.expiresAtMs),
  });
  const beyond = tx
    .select({ id: sessionFamilies.id })
    .from(sessionFamilies)
    .where(and(eq(sessionFamilies.tenantId, SYSTEM_TENANT), eq(sessionFamilies.userId, userId)))
    .orderBy(desc(sessionFamilies.usedAt), desc(sessionFamilies.id))
    .offset(SESSIONS_PER_USER_MAX)
    .limit(SESSION_SWEEP_MAX)
    .for("update", { skipLocked: true });
  const expired = tx
    .select({ id: sessionFamilies.id })
    .from(sessionFamilies)
    .where(and(eq(sessionFamilies.tenantId, SYSTEM_TENANT), lt(sessionFamilies.expiresAt, new Date(nowMs))))
    .orderBy(asc(sessionFamilies.expiresAt))
    .limit(SESSION_SWEEP_MAX)
    .for("update", { skipLocked: true });
  for (const ids of [beyond, expired]) {
    await tx
      .delete(sessionFamilies)
      .where(and(eq(sessionFamilies.tenantId, SYSTEM_TENANT), inArray(sessionFamilies.id, ids)));
  }
}
