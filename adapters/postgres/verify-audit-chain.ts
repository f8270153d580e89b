import { sha256Hex } from "../digest/sha256-hex.ts";
import { type VerifiedChain, verifyChain, type VerifyChainInput } from "../../domain/access/verify-chain.ts";
import type { Database } from "./connect.ts";
import { readAuditChain } from "./read-audit-chain.ts";
import { withTenant } from "./with-tenant.ts";

const encoder = new TextEncoder();

/**
 * Verifies a tenant's audit chain against itself and against the log's anchors (domain/access/verify-chain.ts). The hashes
 * are computed here and not by the database. Rejects with `unavailable` when Postgres is away.
 */
export function verifyAuditChain(
  database: Database,
  input: { tenant: string } & Pick<VerifyChainInput, "anchors" | "from" | "isEnough">,
): Promise<VerifiedChain> {
  const { tenant, ...rest } = input;
  return verifyChain({
    ...rest,
    read: (after, limit) =>
      withTenant(database, tenant, (tx) => readAuditChain(tx, { tenant, after, limit })),
    sha256: sha256Hex,
    utf8: (text) => encoder.encode(text),
  });
}
