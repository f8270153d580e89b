import { and, desc, eq, gte, lte, ne, or, type SQL, sql } from "drizzle-orm";
import { type KnownRestore, lineage } from "../../domain/backup/lineage.ts";
import type { ConfigType } from "../../domain/publish/config-type.ts";
import { clusterRestores, publishHistory } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

export type PublishMoveRow = typeof publishHistory.$inferSelect;

export interface PublishHistoryFilters {
  app?: string | undefined;
  env?: string | undefined;
  configType?: ConfigType | undefined;
  /** A move is of each of them that is given. */
  configIds?: readonly (string | undefined)[];
  versionId?: number | undefined;
  publishId?: string | undefined;
}
/** Where a page ended: a move's time, and its place in the log. */
export interface MovePlace {
  createdAtMs: number;
  logIndex: number;
  place: number;
}

const h = publishHistory;

/**
 * Moves of publish plans of the transaction's tenant that satisfy every given filter, the newest first; one more than
 * `limit` is never read. What a restore of the core has rolled back is left out, and there again when a later restore brings
 * it back.
 */
export async function searchPublishHistory(
  tx: Transaction,
  search: PublishHistoryFilters & { cursor: MovePlace | null; limit: number },
): Promise<{ items: PublishMoveRow[]; nextCursor: MovePlace | null }> {
  const { cursor, limit } = search;
  const rows = await tx
    .select()
    .from(h)
    .where(
      and(
        ...conditions(search),
        isInForce(await readRestores(tx)),
        cursor === null ? undefined : isPast(cursor),
      ),
    )
    .orderBy(desc(h.createdAt), desc(h.logIndex), desc(h.place))
    .limit(limit + 1);
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  if (rows.length <= limit || last === undefined) return { items, nextCursor: null };
  const { createdAt, logIndex, place } = last;
  return { items, nextCursor: { createdAtMs: createdAt.getTime(), logIndex, place } };
}

function conditions(search: PublishHistoryFilters): (SQL | undefined)[] {
  const is = (column: Parameters<typeof eq>[0], value: string | number | undefined): SQL | undefined =>
    value === undefined ? undefined : eq(column, value);
  return [
    // By policy no other tenant's rows are there; said again, an index that begins with the tenant can be used.
    sql`${h.tenantId} = conflux_tenant_id()`,
    is(h.app, search.app),
    is(h.env, search.env),
    is(h.configType, search.configType),
    ...(search.configIds ?? []).map((id) => is(h.configId, id)),
    is(h.versionId, search.versionId),
    is(h.publishId, search.publishId),
  ];
}

function isPast({ createdAtMs, logIndex, place }: MovePlace): SQL {
  return sql`(${h.createdAt}, ${h.logIndex}, ${h.place})
    < (${new Date(createdAtMs).toISOString()}::timestamptz, ${logIndex}::bigint, ${place}::smallint)`;
}

async function readRestores(tx: Transaction): Promise<Map<string, KnownRestore[]>> {
  return Map.groupBy(await tx.select().from(clusterRestores), ({ clusterId }) => clusterId);
}

/** Whether a row is of a stretch of its cluster's log that the state comes from; a cluster without restores has one. */
function isInForce(restores: ReadonlyMap<string, KnownRestore[]>): SQL | undefined {
  const ofClusters = [...restores].map(([clusterId, ofCluster]) =>
    or(
      ne(h.clusterId, clusterId),
      ...lineage(ofCluster).map(({ fromEpoch, toEpoch, fromIndex, toIndex }) =>
        and(
          gte(h.epoch, fromEpoch),
          gte(h.logIndex, fromIndex),
          toEpoch === null ? undefined : lte(h.epoch, toEpoch),
          toIndex === null ? undefined : lte(h.logIndex, toIndex),
        ),
      ),
    ),
  );
  return and(...ofClusters);
}
