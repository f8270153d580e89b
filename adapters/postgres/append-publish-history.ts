import type { ConfigType } from "../../domain/publish/config-type.ts";
import type { Actor } from "../../domain/command/command.ts";
import type { Namespace } from "../../domain/config/config-name.ts";
import { publishHistory } from "../../migrations/schema.ts";
import { storableText } from "./storable-text.ts";
import { setTenant, type Transaction } from "./with-tenant.ts";

const ROWS_PER_STATEMENT_MAX = 500;

/** A move of a publish plan: what one event of the feed says. */
export interface PublishMove {
  position: { clusterId: string; epoch: number; logIndex: number };
  /** Among the moves of its log entry, from 0. */
  place: number;
  publishId: string;
  configId: string;
  namespace: Namespace;
  name: string;
  configType: ConfigType;
  versionId: number;
  previousVersionId: number | null;
  /** Null: the plan began. */
  fromStatus: string | null;
  status: string;
  /** Null where the core did not say. */
  stage: number | null;
  grayGroups: readonly string[];
  cause: string;
  /** What a gate said that stopped the plan, or why a person let it go on without its gates. */
  reason: string | null;
  /** Who did it, or did what it is the consequence of. */
  operator: Actor;
  createdAtMs: number;
}

/**
 * Appends moves of any tenants within the caller's transaction (whose tenant is one of theirs afterwards); one whose
 * position is there already is left out. Answers how many were new. Tenants are taken in the order of their names, and the
 * moves of each in that of their positions, so that two transactions wait for each other rather than deadlock.
 */
export async function appendPublishHistory(tx: Transaction, moves: readonly PublishMove[]): Promise<number> {
  let appended = 0;
  const byTenant = Map.groupBy(moves, ({ namespace }) => namespace.tenant);
  for (const [tenant, ofTenant] of [...byTenant].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    await setTenant(tx, tenant);
    const ordered = ofTenant.toSorted(byPosition);
    for (let from = 0; from < ordered.length; from += ROWS_PER_STATEMENT_MAX) {
      const rows = ordered.slice(from, from + ROWS_PER_STATEMENT_MAX).map(toRow);
      const inserted = await tx
        .insert(publishHistory)
        .values(rows)
        .onConflictDoNothing()
        .returning({ place: publishHistory.place });
      appended += inserted.length;
    }
  }
  return appended;
}

function byPosition(a: PublishMove, b: PublishMove): number {
  return (
    a.position.epoch - b.position.epoch || a.position.logIndex - b.position.logIndex || a.place - b.place
  );
}

function toRow(move: PublishMove): typeof publishHistory.$inferInsert {
  const { namespace, operator } = move;
  return {
    tenantId: namespace.tenant,
    ...move.position,
    place: move.place,
    publishId: move.publishId,
    configId: move.configId,
    app: namespace.app,
    env: namespace.env,
    name: move.name,
    configType: move.configType,
    versionId: move.versionId,
    previousVersionId: move.previousVersionId,
    fromStatus: move.fromStatus,
    status: move.status,
    stage: move.stage,
    grayGroups: move.grayGroups.map((region) => storableText(region)),
    cause: move.cause,
    reason: move.reason === null ? null : storableText(move.reason),
    operator: storableText(operator.name),
    operatorType: operator.type,
    operatorId: storableText(operator.id),
    createdAt: new Date(move.createdAtMs),
  };
}
