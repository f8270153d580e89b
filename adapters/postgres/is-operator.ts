import { sql } from "drizzle-orm";
import type { Database } from "./connect.ts";
import { inTransaction } from "./with-tenant.ts";

/**
 * Whether a user may do what belongs to no tenant (the core, its backups). No for an inactive user, and for a token issued
 * before the user's tokens, or everyone's, were called in.
 */
export function isOperator(
  database: Database,
  user: { userId: string; issuedAtMs: number },
): Promise<boolean> {
  return inTransaction(database, async (tx) => {
    const issuedAt = new Date(user.issuedAtMs).toISOString();
    const [row] = await tx.execute<{ is_operator: boolean }>(
      sql`select conflux_is_operator(${user.userId}, ${issuedAt}::timestamptz) as is_operator`,
    );
    return row?.is_operator === true;
  });
}
