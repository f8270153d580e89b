import { and, asc, eq, gt, gte } from "drizzle-orm";
import type { ReportState } from "../../domain/delivery/delivery-report.ts";
import { deliveryClients } from "../../migrations/schema.ts";
import { ofKnownVersion } from "./of-known-version.ts";
import type { Transaction } from "./with-tenant.ts";

export type DeliveryClientRow = typeof deliveryClients.$inferSelect;

/** Clients of a config of the transaction's tenant that satisfy every given filter, in the order of their ids. */
export async function listDeliveryClients(
  tx: Transaction,
  of: {
    tenant: string;
    config: string;
    /** The config's newest one (of-known-version.ts). */
    latestVersionId: number;
    version: number | undefined;
    state: ReportState | undefined;
    region: string | undefined;
    seenSinceMs: number;
    /** The last client id of the page before; null for the first page. */
    cursor: string | null;
    limit: number;
  },
): Promise<{ items: DeliveryClientRow[]; nextCursor: string | null }> {
  const c = deliveryClients;
  const rows = await tx
    .select()
    .from(c)
    .where(
      and(
        eq(c.tenantId, of.tenant),
        eq(c.config, of.config),
        gte(c.seenAt, new Date(of.seenSinceMs)),
        ofKnownVersion(of.latestVersionId),
        of.version === undefined ? undefined : eq(c.versionId, of.version),
        of.state === undefined ? undefined : eq(c.state, of.state),
        of.region === undefined ? undefined : eq(c.region, of.region),
        of.cursor === null ? undefined : gt(c.clientId, of.cursor),
      ),
    )
    .orderBy(asc(c.clientId))
    .limit(of.limit + 1);
  const items = rows.slice(0, of.limit);
  return { items, nextCursor: rows.length > of.limit ? (items.at(-1)?.clientId ?? null) : null };
}
