import { and, eq, inArray, max } from "drizzle-orm";
import { configFetches } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** When configs of the transaction's tenant were last fetched, in whichever region; those never fetched are absent. */
export async function readFetchTimes(
  tx: Transaction,
  of: { tenant: string; configs: readonly string[] },
): Promise<Map<string, Date>> {
  if (of.configs.length === 0) return new Map();
  const rows = await tx
    .select({ config: configFetches.config, at: max(configFetches.lastFetchedAt) })
    .from(configFetches)
    .where(and(eq(configFetches.tenantId, of.tenant), inArray(configFetches.config, [...of.configs])))
    .groupBy(configFetches.config);
  return new Map(rows.flatMap(({ config, at }): [string, Date][] => (at === null ? [] : [[config, at]])));
}
