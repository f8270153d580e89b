import type { OpenAPIHono } from "@hono/zod-openapi";
import { type AuditPlace, searchAuditLogs } from "../../adapters/postgres/search-audit-logs.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { auditLogList, auditQuery } from "../../contracts/access/audit-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { registerAuditExport } from "./audit-export.ts";
import { registerAuditVerify } from "./audit-verify.ts";
import { auditFilters, viewAuditLog } from "./audit-view.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { resolveTenant } from "./auth-tenant.ts";
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

/** `GET /audit-logs`, `GET /audit-logs/export`, `GET /audit-logs/verify`. */
export function registerAuditRoutes(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(searchRoute, async (c) => {
    const query = c.req.valid("query");
    const cursor = query.cursor === undefined ? null : parseCursor(query.cursor);
    const tenant = await resolveTenant(c, deps, query.tenant);
    await requireDeclared(c, { tenant });
    const page = await withTenant(deps.database(c), tenant, (tx) =>
      searchAuditLogs(tx, { ...auditFilters(query), cursor, limit: query.limit }),
    );
    const next = page.nextCursor;
    const nextCursor = next === null ? null : `${next.createdAtMs}_${next.id}`;
    return c.json({ items: page.items.map(viewAuditLog), next_cursor: nextCursor }, 200);
  });
  registerAuditExport(app, deps);
  registerAuditVerify(app, deps);
}

function parseCursor(text: string): AuditPlace {
  const [, createdAtMs, id] = /^(\d{1,15})_(\d{1,15})$/.exec(text) ?? [];
  if (createdAtMs !== undefined && id !== undefined)
    return { createdAtMs: Number(createdAtMs), id: Number(id) };
  throw new ConfluxError("validation_failed", "The cursor is none that this list gave.", {
    errors: [{ path: "/query/cursor", message: "the next_cursor of the page before" }],
  });
}
