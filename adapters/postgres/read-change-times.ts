import { and, eq, max, sql } from "drizzle-orm";
import type { IndexPosition } from "../../domain/delivery/index-token.ts";
import { auditLogs } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** A change of a config: the log entry that made it. */
export interface ConfigChange extends IndexPosition {
  config: string;
}

export interface ChangeTimes {
  /** When the change was written, by the log's time; undefined when its log entry is not among the audit's rows. */
  changedAtMs: (change: ConfigChange) => number | undefined;
  /** Whether the audit has not come to the change yet, so that its time may still become known. */
  isAwaited: (change: ConfigChange) => boolean;
}

const lineOf = ({ cluster_id, epoch }: IndexPosition): string => `${cluster_id}/${epoch}`;
const keyOf = (change: ConfigChange): string => `${lineOf(change)}/${change.index}/${change.config}`;

/**
 * When changes of the transaction's tenant were written, from the audit, which the feed's projection keeps and in which
 * a log entry is found by its place (tenant, cluster, epoch, index).
 */
export async function readChangeTimes(
  tx: Transaction,
  tenant: string,
  changes: readonly ConfigChange[],
): Promise<ChangeTimes> {
  const times = new Map<string, number>();
  const projectedTo = new Map<string, number>();
  for (const [line, ofLine] of Map.groupBy(changes, lineOf)) {
    const [first] = ofLine;
    if (first === undefined) continue;
    const isOfLine = and(
      eq(auditLogs.tenantId, tenant),
      eq(auditLogs.clusterId, first.cluster_id),
      eq(auditLogs.epoch, first.epoch),
    );
    const indexes = JSON.stringify([...new Set(ofLine.map(({ index }) => index))]);
    const rows = await tx
      .select({ config: auditLogs.resource, index: auditLogs.logIndex, at: auditLogs.createdAt })
      .from(auditLogs)
      .where(
        and(
          isOfLine,
          sql`${auditLogs.logIndex} in (select i::bigint from jsonb_array_elements_text(${indexes}::text::jsonb) i)`,
        ),
      );
    for (const { config, index, at } of rows) {
      if (index !== null) times.set(keyOf({ ...first, index, config }), at.getTime());
    }
    const [last] = await tx
      .select({ index: max(auditLogs.logIndex) })
      .from(auditLogs)
      .where(isOfLine);
    projectedTo.set(line, last?.index ?? 0);
  }
  return {
    changedAtMs: (change) => times.get(keyOf(change)),
    isAwaited: (change) => change.index > (projectedTo.get(lineOf(change)) ?? 0),
  };
}
