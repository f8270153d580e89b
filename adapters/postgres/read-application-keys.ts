import { and, eq, isNotNull, type SQL } from "drizzle-orm";
import { applications } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Applications with a key of their own that one answer names. */
export const APPLICATION_KEYS_MAX = 10_000;

/** The KMS keys of the tenant's applications, or of one of them, by the application's name; those that have none are left out. */
export async function readApplicationKeys(
  tx: Transaction,
  tenant: string,
  app?: string,
): Promise<Record<string, string>> {
  const conditions: SQL[] = [eq(applications.tenantId, tenant), isNotNull(applications.kmsKeyId)];
  if (app !== undefined) conditions.push(eq(applications.name, app));
  const rows = await tx
    .select({ name: applications.name, keyId: applications.kmsKeyId })
    .from(applications)
    .where(and(...conditions))
    .orderBy(applications.name)
    .limit(APPLICATION_KEYS_MAX);
  return Object.fromEntries(rows.flatMap(({ name, keyId }) => (keyId === null ? [] : [[name, keyId]])));
}
