import { and, eq, gt, isNull } from "drizzle-orm";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { breakGlassGrants } from "../../migrations/schema.ts";
import { readSessionUser } from "./find-session-user.ts";
import type { Transaction } from "./with-tenant.ts";

export interface BreakGlassUse {
  userId: string;
  username: string;
  reason: string;
  openedBy: string;
  expiresAtMs: number;
  /** In which the session may do everything. */
  tenants: string[];
}

/** Takes a grant by its code's digest, once and before it expires; null in every other case. */
export async function useBreakGlass(
  tx: Transaction,
  input: { codeDigest: string; nowMs: number },
): Promise<BreakGlassUse | null> {
  const now = new Date(input.nowMs);
  const [grant] = await tx
    .update(breakGlassGrants)
    .set({ usedAt: now })
    .where(
      and(
        eq(breakGlassGrants.tenantId, SYSTEM_TENANT),
        eq(breakGlassGrants.codeDigest, input.codeDigest),
        isNull(breakGlassGrants.usedAt),
        gt(breakGlassGrants.expiresAt, now),
      ),
    )
    .returning();
  const user = grant === undefined ? null : await readSessionUser(tx, grant.userId);
  if (grant === undefined || user === null || !user.isActive) return null;
  return {
    userId: grant.userId,
    username: user.username,
    reason: grant.reason,
    openedBy: grant.openedBy,
    expiresAtMs: grant.expiresAt.getTime(),
    tenants: user.tenants,
  };
}
