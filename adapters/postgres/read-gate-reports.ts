import { and, eq, gte, inArray, type SQL, sql } from "drizzle-orm";
import type { DeliveryCounts } from "../../domain/publish/judge-delivery.ts";
import { deliveryClients } from "../../migrations/schema.ts";
import { ofKnownVersion } from "./of-known-version.ts";
import type { Transaction } from "./with-tenant.ts";

/**
 * Clients of a config by their newest report: with `versionId`, heard of since `versionSinceMs`, and with one of `otherVersionIds`,
 * heard of since `othersSinceMs`.
 */
export async function readGateReports(
  tx: Transaction,
  of: {
    tenant: string;
    config: string;
    versionId: number;
    otherVersionIds: readonly number[];
    /** The config's newest one (of-known-version.ts). */
    latestVersionId: number;
    versionSinceMs: number;
    othersSinceMs: number;
  },
): Promise<DeliveryCounts> {
  const c = deliveryClients;
  const counted = async (isOf: SQL, sinceMs: number) => {
    const [row] = await tx
      .select({
        clients: sql<number>`count(*)::int`,
        failing: sql<number>`count(*) filter (where ${c.state} <> 'applied')::int`,
      })
      .from(c)
      .where(
        and(
          eq(c.tenantId, of.tenant),
          eq(c.config, of.config),
          gte(c.seenAt, new Date(sinceMs)),
          ofKnownVersion(of.latestVersionId),
          isOf,
        ),
      );
    return row ?? { clients: 0, failing: 0 };
  };
  return {
    withVersion: await counted(eq(c.versionId, of.versionId), of.versionSinceMs),
    others: await counted(inArray(c.versionId, [...of.otherVersionIds]), of.othersSinceMs),
  };
}
