import { sql } from "drizzle-orm";
import type { Database } from "./connect.ts";
import { inTransaction, type Transaction } from "./with-tenant.ts";

export interface LoginUser {
  id: string;
  username: string;
  /** Null for a user who signs in elsewhere only. */
  passwordHash: string | null;
  isActive: boolean;
}

/** The user of exactly this name, with the password's hash; null when there is none. No tenant is needed. */
export function findUserForLogin(database: Database, username: string): Promise<LoginUser | null> {
  return inTransaction(database, (tx) => readUserForLogin(tx, username));
}

/** The same within a transaction, whatever its tenant. */
export async function readUserForLogin(tx: Transaction, username: string): Promise<LoginUser | null> {
  const [row] = await tx.execute<{
    id: string;
    username: string;
    password_hash: string | null;
    is_active: boolean;
  }>(sql`select id, username, password_hash, is_active from conflux_find_user_for_login(${username})`);
  if (row === undefined) return null;
  return {
    id: row.id,
    username: row.username,
    passwordHash: row.password_hash,
    isActive: row.is_active,
  };
}
