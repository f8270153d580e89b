import { and, desc, eq, gte, lt, or, sql } from "drizzle-orm";
import { auditLogs } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

export interface AuditSearch {
  /** Id or name of the actor. */
  user?: string | undefined;
  action?: string | undefined;
  /** A resource, or a pattern with `*` and `**` (domain/access/scope.ts). */
  resource?: string | undefined;
  /** Inclusive. */
  fromMs?: number | undefined;
  /** Exclusive. */
  toMs?: number | undefined;
  cursor: { createdAtMs: number; id: number } | null;
  limit: number;
}
export type AuditLogRow = typeof auditLogs.$inferSelect;

/** Rows of the transaction's tenant that satisfy every given filter, newest first; one more than `limit` is never read. */
export async function searchAuditLogs(
  tx: Transaction,
  search: AuditSearch,
): Promise<{ items: AuditLogRow[]; nextCursor: { createdAtMs: number; id: number } | null }> {
  const { user, action, resource, fromMs, toMs, cursor } = search;
  const rows = await tx
    .select()
    .from(auditLogs)
    .where(
      and(
        user === undefined ? undefined : or(eq(auditLogs.actorId, user), eq(auditLogs.actorName, user)),
        action === undefined ? undefined : eq(auditLogs.action, action),
        resource === undefined ? undefined : ofResource(resource),
        fromMs === undefined ? undefined : gte(auditLogs.createdAt, new Date(fromMs)),
        toMs === undefined ? undefined : lt(auditLogs.createdAt, new Date(toMs)),
        cursor === null
          ? undefined
          : sql`(${auditLogs.createdAt}, ${auditLogs.id}) < (${new Date(cursor.createdAtMs).toISOString()}::timestamptz, ${cursor.id}::bigint)`,
      ),
    )
    .orderBy(desc(auditLogs.createdAt), desc(auditLogs.id))
    .limit(search.limit + 1);
  const items = rows.slice(0, search.limit);
  const last = items.at(-1);
  const nextCursor =
    rows.length > search.limit && last !== undefined
      ? { createdAtMs: last.createdAt.getTime(), id: last.id }
      : null;
  return { items, nextCursor };
}

function ofResource(resource: string) {
  if (!resource.includes("*")) return eq(auditLogs.resource, resource);
  return sql`${auditLogs.resource} ~ ${resourceExpression(resource)}`;
}

/** The pattern as a regular expression of Postgres, every other character literal. */
export function resourceExpression(pattern: string): string {
  const segments = pattern.split("/").map((segment, i, all) => {
    if (segment === "*") return "[^/]+";
    if (segment === "**" && i === all.length - 1) return ".+";
    return segment.replace(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`);
  });
  return `^${segments.join("/")}$`;
}
