import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { users } from "../../migrations/schema.ts";
import { UNIQUE_VIOLATION, postgresCodeOf } from "./map-postgres-error.ts";
import type { Transaction } from "./with-tenant.ts";

/** Adds a user (global; invisible to a tenant until it grants a role). Without a hash no password lets it in. `already_exists` when name or e-mail are taken. */
export async function createUser(
  tx: Transaction,
  input: { id: string; username: string; passwordHash: string | null; email?: string | null },
): Promise<void> {
  try {
    await tx.insert(users).values({
      id: input.id,
      username: input.username,
      passwordHash: input.passwordHash,
      email: input.email ?? null,
    });
  } catch (error) {
    if (postgresCodeOf(error) !== UNIQUE_VIOLATION) throw error;
    throw new ConfluxError("already_exists", "A user of this name or e-mail address exists.", {
      cause: error,
    });
  }
}
