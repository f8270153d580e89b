import { eq } from "drizzle-orm";
import { clientTokens } from "../../migrations/schema.ts";
import { type ClientTokenRow, toClientTokenRow } from "./client-token-row.ts";
import type { Transaction } from "./with-tenant.ts";

/** One client token of the transaction's tenant, or null. */
export async function findClientToken(tx: Transaction, id: string): Promise<ClientTokenRow | null> {
  const [row] = await tx.select().from(clientTokens).where(eq(clientTokens.id, id));
  return row === undefined ? null : toClientTokenRow(row);
}
