import { eq } from "drizzle-orm";
import { tenants } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Whether the transaction's tenant is (still) there. */
export async function tenantExists(tx: Transaction, tenant: string): Promise<boolean> {
  const found = await tx.select({ id: tenants.tenantId }).from(tenants).where(eq(tenants.tenantId, tenant));
  return found.length > 0;
}
