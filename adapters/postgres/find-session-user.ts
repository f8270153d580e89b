import { sql } from "drizzle-orm";
import type { Database } from "./connect.ts";
import { inTransaction, type Transaction } from "./with-tenant.ts";

export interface SessionUser {
  username: string;
  isActive: boolean;
  /** Tokens issued before this moment are refused. */
  tokensNotBeforeMs: number;
  /** Tenants in which the user holds a role, ascending. */
  tenants: string[];
}

/** What a session needs to know of its user apart from permissions; null when the user is gone. */
export function findSessionUser(database: Database, userId: string): Promise<SessionUser | null> {
  return inTransaction(database, (tx) => readSessionUser(tx, userId));
}

/** The same within a transaction, whatever its tenant. */
export async function readSessionUser(tx: Transaction, userId: string): Promise<SessionUser | null> {
  const [row] = await tx.execute<{
    username: string;
    is_active: boolean;
    tokens_not_before_ms: string;
    tenants: string[];
  }>(sql`
    select username, is_active, to_jsonb(tenants) as tenants,
      floor(extract(epoch from tokens_not_before) * 1000)::text as tokens_not_before_ms
    from conflux_find_session_user(${userId})`);
  if (row === undefined) return null;
  return {
    username: row.username,
    isActive: row.is_active,
    tokensNotBeforeMs: Number(row.tokens_not_before_ms),
    tenants: row.tenants,
  };
}
