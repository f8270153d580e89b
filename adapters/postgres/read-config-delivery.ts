import { and, count, desc, eq, gte, sql, sum } from "drizzle-orm";
import { DELIVERY_GROUPS_MAX } from "../../contracts/limits.ts";
import { configFetches, deliveryClients, propagationLatency } from "../../migrations/schema.ts";
import { ofKnownVersion } from "./of-known-version.ts";
import type { Transaction } from "./with-tenant.ts";

export interface ClientGroup {
  versionId: number;
  region: string;
  applied: number;
  rejected: number;
  error: number;
  clients: number;
}
export interface ConfigDelivery {
  clients: number;
  /** Of those, how many run the version asked about. */
  running: number;
  /** The largest first, at most DELIVERY_GROUPS_MAX. */
  groups: ClientGroup[];
  fetches: { region: string; lastFetchedAt: Date }[];
  /** Samples by bucket. */
  propagation: Map<number, number>;
}

interface DeliveryQuestion {
  tenant: string;
  config: string;
  /** The config's newest one (of-known-version.ts). */
  latestVersionId: number;
  /** Whose clients are counted as `running`; null: nobody's. */
  versionId: number | null;
  clientsSinceMs: number;
  fetchesSinceMs: number;
  propagationSinceMs: number;
}

/**
 * How a config of the transaction's tenant is delivered. Clients and fetches from before the given moments are left out:
 * a config of the same name that was deleted has nothing to do with this one.
 */
export async function readConfigDelivery(tx: Transaction, of: DeliveryQuestion): Promise<ConfigDelivery> {
  const c = deliveryClients;
  const isSeen = and(
    eq(c.tenantId, of.tenant),
    eq(c.config, of.config),
    gte(c.seenAt, new Date(of.clientsSinceMs)),
    ofKnownVersion(of.latestVersionId),
  );
  const inState = (state: string) => sql<number>`count(*) filter (where ${c.state} = ${state})::int`;
  const groups = await tx
    .select({
      versionId: c.versionId,
      region: c.region,
      applied: inState("applied"),
      rejected: inState("rejected"),
      error: inState("error"),
      clients: count(),
    })
    .from(c)
    .where(isSeen)
    .groupBy(c.versionId, c.region)
    .orderBy(desc(count()), desc(c.versionId), c.region)
    .limit(DELIVERY_GROUPS_MAX);
  const [totals] = await tx
    .select({
      clients: count(),
      running: sql<number>`count(*) filter (where ${c.runningVersionId} = ${of.versionId}::int)::int`,
    })
    .from(c)
    .where(isSeen);
  const fetches = await tx
    .select({ region: configFetches.region, lastFetchedAt: configFetches.lastFetchedAt })
    .from(configFetches)
    .where(
      and(
        eq(configFetches.tenantId, of.tenant),
        eq(configFetches.config, of.config),
        gte(configFetches.lastFetchedAt, new Date(of.fetchesSinceMs)),
      ),
    )
    .orderBy(configFetches.region);
  const p = propagationLatency;
  const buckets = await tx
    .select({ leMs: p.leMs, samples: sum(p.samples).mapWith(Number) })
    .from(p)
    .where(
      and(
        eq(p.tenantId, of.tenant),
        eq(p.config, of.config),
        gte(p.day, new Date(of.propagationSinceMs).toISOString().slice(0, 10)),
      ),
    )
    .groupBy(p.leMs);
  return {
    clients: totals?.clients ?? 0,
    running: totals?.running ?? 0,
    groups,
    fetches,
    propagation: new Map(buckets.map(({ leMs, samples }) => [leMs, samples])),
  };
}
