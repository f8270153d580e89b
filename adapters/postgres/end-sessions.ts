import { and, eq, sql } from "drizzle-orm";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { sessionFamilies } from "../../migrations/schema.ts";
import { setTenant, type Transaction } from "./with-tenant.ts";

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

export interface EndedSessions {
  /** How many there were. */
  sessions: number;
  /** Tokens issued before have ended: not before `nowMs`, nor before this was asked. One that is to be good is issued then. */
  notBeforeMs: number;
}

/** Ends all sessions of a user and every access token issued so far, by refreshes that are under way, too. */
export async function endAllSessions(
  tx: Transaction,
  input: { userId: string; nowMs: number },
): Promise<EndedSessions> {
  // The user's row first, as everybody takes the two: sign-ins under way are done then, and the next ones wait.
  await callInTokens(tx, input);
  // Waits for refreshes under way, whose clocks may have been read after ours.
  const gone = await tx
    .delete(sessionFamilies)
    .where(and(eq(sessionFamilies.tenantId, SYSTEM_TENANT), eq(sessionFamilies.userId, input.userId)))
    .returning({ id: sessionFamilies.id });
  return { sessions: gone.length, notBeforeMs: await callInTokens(tx, input) };
}

/** The same in the middle of a transaction of `tenant`. Asks nothing of who may do so. */
export async function endAllSessionsFrom(
  tx: Transaction,
  tenant: string,
  input: { userId: string; nowMs: number },
): Promise<EndedSessions> {
  await setTenant(tx, SYSTEM_TENANT);
  const ended = await endAllSessions(tx, input);
  await setTenant(tx, tenant);
  return ended;
}

async function callInTokens(tx: Transaction, input: { userId: string; nowMs: number }): Promise<number> {
  const notBefore = new Date(input.nowMs).toISOString();
  const [row] = await tx.execute<{ ms: string | null }>(sql`
    select ceil(extract(epoch from conflux_call_in_tokens(${input.userId}, ${notBefore}::timestamptz)) * 1000)::text as ms`);
  return Number(row?.ms ?? input.nowMs);
}
