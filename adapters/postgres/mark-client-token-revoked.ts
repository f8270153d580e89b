import { and, eq, isNull } from "drizzle-orm";
import { clientTokens } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Notes for people that a token is revoked (what makes edges refuse it is the log). The first moment is kept. */
export async function markClientTokenRevoked(
  tx: Transaction,
  input: { id: string; nowMs: number },
): Promise<void> {
  await tx
    .update(clientTokens)
    .set({ revokedAt: new Date(input.nowMs) })
    .where(and(eq(clientTokens.id, input.id), isNull(clientTokens.revokedAt)));
}
