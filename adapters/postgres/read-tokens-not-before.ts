import { eq } from "drizzle-orm";
import { clusters, tenants } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Before which moment tokens of the tenant have ended, by the last restore of its cluster; 0 when there was none. */
export async function readTokensNotBefore(tx: Transaction, tenant: string): Promise<number> {
  const [row] = await tx
    .select({ notBefore: clusters.tokensNotBefore })
    .from(clusters)
    .innerJoin(tenants, eq(tenants.clusterId, clusters.id))
    .where(eq(tenants.tenantId, tenant));
  return row?.notBefore.getTime() ?? 0;
}
