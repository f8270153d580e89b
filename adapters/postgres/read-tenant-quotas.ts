import { eq } from "drizzle-orm";
import type { TenantQuotas } from "../../domain/quota/tenant-quotas.ts";
import { tenants } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** The quotas of the transaction's tenant; null when there is no such tenant. */
export async function readTenantQuotas(tx: Transaction, tenant: string): Promise<TenantQuotas | null> {
  const [row] = await tx
    .select({
      maxConfigs: tenants.maxConfigs,
      maxConfigSizeBytes: tenants.maxConfigSizeBytes,
      maxApiRequestsPerMinute: tenants.maxApiRequestsPerMinute,
    })
    .from(tenants)
    .where(eq(tenants.tenantId, tenant));
  return row ?? null;
}
