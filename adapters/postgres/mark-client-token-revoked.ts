import { and, eq, isNull } from "drizzle-orm";
import { clientTokens } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Notes for people that a token is revoked (what makes edges refuse it is the log). The first moment is kept: false when there is one. */
export async function markClientTokenRevoked(
  tx: Transaction,
  input: { id: string; nowMs: number },
): Promise<boolean> {
  const marked = await tx
    .update(clientTokens)
    .set({ revokedAt: new Date(input.nowMs) })
    .where(and(eq(clientTokens.id, input.id), isNull(clientTokens.revokedAt)))
    .returning({ id: clientTokens.id });
  return marked.length > 0;
}
