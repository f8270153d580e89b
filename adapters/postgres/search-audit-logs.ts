import { and, asc, desc, eq, gte, lt, or, type SQL, sql } from "drizzle-orm";
import { auditLogs } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

export interface AuditFilters {
  /** Id or name of the actor. */
  user?: string | undefined;
  action?: string | undefined;
  /** A resource, or a pattern with `*` and `**` (domain/access/scope.ts). */
  resource?: string | undefined;
  outcome?: string | undefined;
  /** Inclusive. */
  fromMs?: number | undefined;
  /** Exclusive. */
  toMs?: number | undefined;
}
export interface AuditPlace {
  createdAtMs: number;
  id: number;
}
export interface AuditSearch extends AuditFilters {
  cursor: AuditPlace | null;
  limit: number;
  /** Newest first unless `oldest_first`. */
  order?: "oldest_first";
}
export type AuditLogRow = typeof auditLogs.$inferSelect;

/**
 * Rows of the transaction's tenant that satisfy every given filter; one more than `limit` is never read. The cursor is the
 * place of the last row, so that rows added meanwhile neither repeat nor hide one that was there.
 */
export async function searchAuditLogs(
  tx: Transaction,
  search: AuditSearch,
): Promise<{ items: AuditLogRow[]; nextCursor: AuditPlace | null }> {
  const { cursor } = search;
  const isOldestFirst = search.order === "oldest_first";
  const direction = isOldestFirst ? asc : desc;
  const rows = await tx
    .select()
    .from(auditLogs)
    .where(and(...conditions(search), cursor === null ? undefined : isPast(cursor, isOldestFirst)))
    .orderBy(direction(auditLogs.createdAt), direction(auditLogs.id))
    .limit(search.limit + 1);
  const items = rows.slice(0, search.limit);
  const last = items.at(-1);
  const nextCursor =
    rows.length > search.limit && last !== undefined
      ? { createdAtMs: last.createdAt.getTime(), id: last.id }
      : null;
  return { items, nextCursor };
}

function conditions({ user, action, resource, outcome, fromMs, toMs }: AuditFilters): (SQL | undefined)[] {
  return [
    // By policy no other tenant's rows are there; said again, an index that begins with the tenant can be used.
    sql`${auditLogs.tenantId} = conflux_tenant_id()`,
    user === undefined ? undefined : or(eq(auditLogs.actorId, user), eq(auditLogs.actorName, user)),
    action === undefined ? undefined : eq(auditLogs.action, action),
    outcome === undefined ? undefined : eq(auditLogs.outcome, outcome),
    // The index holds no others.
    outcome === undefined || outcome === "success" ? undefined : sql`${auditLogs.outcome} <> 'success'`,
    resource === undefined ? undefined : ofResource(resource),
    fromMs === undefined ? undefined : gte(auditLogs.createdAt, new Date(fromMs)),
    toMs === undefined ? undefined : lt(auditLogs.createdAt, new Date(toMs)),
  ];
}

function isPast(cursor: AuditPlace, isOldestFirst: boolean): SQL {
  const place = sql`(${auditLogs.createdAt}, ${auditLogs.id})`;
  const last = sql`(${new Date(cursor.createdAtMs).toISOString()}::timestamptz, ${cursor.id}::bigint)`;
  return isOldestFirst ? sql`${place} > ${last}` : sql`${place} < ${last}`;
}

function ofResource(resource: string): SQL | undefined {
  if (!resource.includes("*")) return eq(auditLogs.resource, resource);
  const matches = sql`${auditLogs.resource} ~ ${resourceExpression(resource)}`;
  const prefix = resource.slice(0, resource.indexOf("*"));
  if (prefix === "") return matches;
  // What begins so, by bytes: the range of the index, whatever the collation.
  const end = `${prefix}\u{10FFFF}`;
  return sql`${auditLogs.resource} ~>=~ ${prefix} and ${auditLogs.resource} ~<~ ${end} and ${matches}`;
}

/** The pattern as a regular expression of Postgres, every other character literal. */
function resourceExpression(pattern: string): string {
  const segments = pattern.split("/").map((segment, i, all) => {
    if (segment === "*") return "[^/]+";
    if (segment === "**" && i === all.length - 1) return ".+";
    return segment.replace(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`);
  });
  return `^${segments.join("/")}$`;
}
