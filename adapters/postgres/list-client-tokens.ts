import { and, desc, eq, lt } from "drizzle-orm";
import { clientTokens } from "../../migrations/schema.ts";
import { type ClientTokenRow, toClientTokenRow } from "./client-token-row.ts";
import type { Transaction } from "./with-tenant.ts";

/** Client tokens of the transaction's tenant, newest first; with `createdBy`, that user's alone. */
export async function listClientTokens(
  tx: Transaction,
  input: { createdBy: string | null; cursor: string | null; limit: number },
): Promise<{ items: ClientTokenRow[]; nextCursor: string | null }> {
  // Ids end in a ULID and begin with the one tenant of the transaction, so their order is that of time.
  const rows = await tx
    .select()
    .from(clientTokens)
    .where(
      and(
        input.createdBy === null ? undefined : eq(clientTokens.createdBy, input.createdBy),
        input.cursor === null ? undefined : lt(clientTokens.id, input.cursor),
      ),
    )
    .orderBy(desc(clientTokens.id))
    .limit(input.limit + 1);
  const items = rows.slice(0, input.limit).map(toClientTokenRow);
  return { items, nextCursor: rows.length > input.limit ? (items.at(-1)?.id ?? null) : null };
}
