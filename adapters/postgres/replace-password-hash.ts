import { sql } from "drizzle-orm";
import type { Transaction } from "./with-tenant.ts";

/** Stores the same password under newer parameters. Changes nothing when it is not `old` any more. */
export async function upgradePasswordHash(
  tx: Transaction,
  input: { userId: string; old: string; hash: string },
): Promise<boolean> {
  const [row] = await tx.execute<{ changed: boolean }>(
    sql`select conflux_upgrade_password_hash(${input.userId}, ${input.old}, ${input.hash}) as changed`,
  );
  return row?.changed === true;
}

/**
 * Stores another password and ends every access token issued before `nowMs`. Changes nothing when it is not `old` any more,
 * or the user is not active.
 */
export async function changePassword(
  tx: Transaction,
  input: { userId: string; old: string; hash: string; nowMs: number },
): Promise<boolean> {
  const notBefore = new Date(input.nowMs).toISOString();
  const [row] = await tx.execute<{ changed: boolean }>(sql`
    select conflux_change_password(${input.userId}, ${input.old}, ${input.hash}, ${notBefore}::timestamptz) as changed`);
  return row?.changed === true;
}
