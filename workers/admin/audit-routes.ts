import type { OpenAPIHono } from "@hono/zod-openapi";
import { type AuditLogRow, searchAuditLogs } from "../../adapters/postgres/search-audit-logs.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import {
  auditLogList,
  type AuditLogView,
  auditLogView,
  auditQuery,
} from "../../contracts/access/audit-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { resolveTenant } from "./auth-tenant.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

const searchRoute = declareRoute(
  { action: "list", resource: "{tenant}" },
  {
    method: "get",
    path: "/api/v1/audit-logs",
    tags: ["access"],
    summary: "Who did what in a tenant",
    request: { query: auditQuery },
    responses: { 200: { description: "A page, newest first", content: json(auditLogList) } },
  },
);

/** `GET /audit-logs`. */
export function registerAuditRoutes(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(searchRoute, async (c) => {
    const query = c.req.valid("query");
    const cursor = query.cursor === undefined ? null : parseCursor(query.cursor);
    const tenant = await resolveTenant(c, deps, query.tenant);
    await requireDeclared(c, { tenant });
    const page = await withTenant(deps.database(c), tenant, (tx) =>
      searchAuditLogs(tx, {
        user: query.user,
        action: query.action,
        resource: query.resource,
        fromMs: query.from === undefined ? undefined : Date.parse(query.from),
        toMs: query.to === undefined ? undefined : Date.parse(query.to),
        cursor,
        limit: query.limit,
      }),
    );
    const next = page.nextCursor;
    const nextCursor = next === null ? null : `${next.createdAtMs}_${next.id}`;
    return c.json({ items: page.items.map(toView), next_cursor: nextCursor }, 200);
  });
}

function parseCursor(text: string): { createdAtMs: number; id: number } {
  const [, createdAtMs, id] = /^(\d{1,15})_(\d{1,15})$/.exec(text) ?? [];
  if (createdAtMs !== undefined && id !== undefined)
    return { createdAtMs: Number(createdAtMs), id: Number(id) };
  throw new ConfluxError("validation_failed", "The cursor is none that this list gave.", {
    errors: [{ path: "/query/cursor", message: "the next_cursor of the page before" }],
  });
}

function toView(row: AuditLogRow): AuditLogView {
  const { clusterId, epoch, logIndex } = row;
  const inLog = clusterId !== null && epoch !== null && logIndex !== null && logIndex > 0;
  return auditLogView.parse({
    id: String(row.id),
    tenant: row.tenantId,
    actor: { type: row.actorType, id: row.actorId, name: row.actorName },
    ip: row.ip,
    action: row.action,
    resource: row.resource,
    outcome: row.outcome,
    trace_id: row.traceId,
    summary: row.summary,
    position: inLog ? { cluster_id: clusterId, epoch, index: logIndex } : null,
    created_at: row.createdAt.toISOString(),
  });
}
