import { lt, sql } from "drizzle-orm";
import { configFetches } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

const ROWS_PER_STATEMENT_MAX = 1000;

export interface FetchTime {
  config: string;
  region: string;
  atMs: number;
}

/** Notes when configs of one tenant were fetched; the latest time stays, in whatever order and how often they come. */
export async function writeFetchTimes(
  tx: Transaction,
  tenant: string,
  times: readonly FetchTime[],
): Promise<void> {
  const latest = new Map<string, FetchTime>();
  for (const time of times) {
    const key = `${time.config} ${time.region}`;
    if (time.atMs > (latest.get(key)?.atMs ?? -Infinity)) latest.set(key, time);
  }
  const rows = [...latest]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { config, region, atMs }]) => ({
      tenantId: tenant,
      config,
      region,
      lastFetchedAt: new Date(atMs),
    }));
  const { tenantId, config, region, lastFetchedAt } = configFetches;
  for (let from = 0; from < rows.length; from += ROWS_PER_STATEMENT_MAX) {
    await tx
      .insert(configFetches)
      .values(rows.slice(from, from + ROWS_PER_STATEMENT_MAX))
      .onConflictDoUpdate({
        target: [tenantId, config, region],
        set: { lastFetchedAt: sql`excluded.last_fetched_at` },
        setWhere: lt(lastFetchedAt, sql`excluded.last_fetched_at`),
      });
  }
}
