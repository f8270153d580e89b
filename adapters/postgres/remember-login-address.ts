import { and, desc, eq, inArray } from "drizzle-orm";
import { KNOWN_ADDRESSES_MAX, SESSION_SWEEP_MAX } from "../../contracts/limits.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { loginAddresses } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Notes that a user signed in at an address (a keyed digest of name and address); the longest unused makes room. */
export async function rememberLoginAddress(
  tx: Transaction,
  input: { userId: string; subject: string; nowMs: number },
): Promise<void> {
  const lastAt = new Date(input.nowMs);
  await tx
    .insert(loginAddresses)
    .values({ tenantId: SYSTEM_TENANT, subject: input.subject, userId: input.userId, lastAt })
    .onConflictDoUpdate({
      target: [loginAddresses.tenantId, loginAddresses.subject],
      set: { userId: input.userId, lastAt },
    });
  const beyond = tx
    .select({ subject: loginAddresses.subject })
    .from(loginAddresses)
    .where(and(eq(loginAddresses.tenantId, SYSTEM_TENANT), eq(loginAddresses.userId, input.userId)))
    .orderBy(desc(loginAddresses.lastAt))
    .offset(KNOWN_ADDRESSES_MAX)
    .limit(SESSION_SWEEP_MAX)
    .for("update", { skipLocked: true });
  await tx
    .delete(loginAddresses)
    .where(and(eq(loginAddresses.tenantId, SYSTEM_TENANT), inArray(loginAddresses.subject, beyond)));
}
