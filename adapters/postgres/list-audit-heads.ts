import { sql } from "drizzle-orm";
import type { ChainPlace } from "../../domain/access/verify-chain.ts";
import type { Database } from "./connect.ts";
import { inTransaction } from "./with-tenant.ts";

/** Where the audit chains end, a page of tenants after `after` in the order of their names. */
export function listAuditHeads(
  database: Database,
  input: { after: string; limit: number },
): Promise<({ tenant: string } & ChainPlace)[]> {
  return inTransaction(database, async (tx) => {
    const rows = await tx.execute<{ tenant: string; seq: string; hash: string }>(sql`
      select tenant_id as tenant, seq::text, encode(hash, 'hex') as hash
      from conflux_audit_heads(${input.after}, ${input.limit}::int)`);
    return rows.map(({ tenant, seq, hash }) => ({ tenant, seq: Number(seq), hash }));
  });
}
