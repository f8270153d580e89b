import { and, eq, sql } from "drizzle-orm";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { sessionFamilies } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Ends one session of a user. Answers whether it was there. Its access tokens end by themselves. */
export async function endSession(
  tx: Transaction,
  input: { family: string; userId: string },
): Promise<boolean> {
  const gone = await tx
    .delete(sessionFamilies)
    .where(
      and(
        eq(sessionFamilies.tenantId, SYSTEM_TENANT),
        eq(sessionFamilies.id, input.family),
        eq(sessionFamilies.userId, input.userId),
      ),
    )
    .returning({ id: sessionFamilies.id });
  return gone.length > 0;
}

/** Ends all sessions of a user and every access token issued before `nowMs`. Answers how many sessions there were. */
export async function endAllSessions(
  tx: Transaction,
  input: { userId: string; nowMs: number },
): Promise<number> {
  const notBefore = new Date(input.nowMs).toISOString();
  await tx.execute(sql`select conflux_end_user_tokens(${input.userId}, ${notBefore}::timestamptz)`);
  const gone = await tx
    .delete(sessionFamilies)
    .where(and(eq(sessionFamilies.tenantId, SYSTEM_TENANT), eq(sessionFamilies.userId, input.userId)))
    .returning({ id: sessionFamilies.id });
  return gone.length;
}
