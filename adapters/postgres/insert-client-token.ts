import { clientTokens } from "../../migrations/schema.ts";
import type { ClientTokenRow } from "./client-token-row.ts";
import type { Transaction } from "./with-tenant.ts";

/** Records that a client token was issued; the token itself is stored nowhere. */
export async function insertClientToken(
  tx: Transaction,
  input: Omit<ClientTokenRow, "revokedAtMs"> & { tenant: string },
): Promise<void> {
  await tx.insert(clientTokens).values({
    tenantId: input.tenant,
    id: input.id,
    name: input.name,
    scopes: input.scopes,
    createdBy: input.createdBy,
    createdAt: new Date(input.createdAtMs),
    expiresAt: new Date(input.expiresAtMs),
  });
}
