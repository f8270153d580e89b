import { sql } from "drizzle-orm";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { UNIQUE_VIOLATION, postgresCodeOf } from "./map-postgres-error.ts";
import type { Transaction } from "./with-tenant.ts";

/** Adds a user (global; invisible to a tenant until it grants a role). Without a hash no password lets it in. `already_exists` when name or e-mail are taken. */
export async function createUser(
  tx: Transaction,
  input: { id: string; username: string; passwordHash: string | null; email?: string | null },
): Promise<void> {
  try {
    // Not by the schema's table, which would name every column: the role may not say of all of them what they are.
    await tx.execute(sql`insert into users (id, username, email, password_hash)
      values (${input.id}, ${input.username}, ${input.email ?? null}, ${input.passwordHash})`);
  } catch (error) {
    if (postgresCodeOf(error) !== UNIQUE_VIOLATION) throw error;
    throw new ConfluxError("already_exists", "A user of this name or e-mail address exists.", {
      cause: error,
    });
  }
}
