import { sql } from "drizzle-orm";
import type { Transaction } from "./with-tenant.ts";

/**
 * Whether a user is active and `hash` is still that of the password. Then it stays so until the transaction ends: a change
 * of the password, of the user's state or of what tokens are good waits for it, and finds the session that is begun here.
 */
export async function holdLogin(tx: Transaction, input: { userId: string; hash: string }): Promise<boolean> {
  const [row] = await tx.execute<{ held: boolean }>(
    sql`select conflux_hold_login(${input.userId}, ${input.hash}) as held`,
  );
  return row?.held === true;
}
