import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { appendAuditRows } from "../../adapters/postgres/append-audit-rows.ts";
import {
  type AuditFilters,
  type AuditLogRow,
  type AuditPlace,
  searchAuditLogs,
} from "../../adapters/postgres/search-audit-logs.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { type AuditFormat, type AuditLogView, auditExportQuery } from "../../contracts/access/audit-api.ts";
import { CSV_HEAD, toCsvLine } from "./audit-csv.ts";
import { toOcsfEvent } from "./audit-ocsf.ts";
import { auditFilters, viewAuditLog } from "./audit-view.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { resolveTenant } from "./auth-tenant.ts";
import { declareRoute } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requirePermission } from "./require-permission.ts";

/** Rows in memory at once. */
const AUDIT_EXPORT_PAGE_MAX = 500;

interface Format {
  contentType: string;
  head: string;
  line: (row: AuditLogView) => string;
}
const FORMATS: Record<AuditFormat, Format> = {
  jsonl: {
    contentType: "application/x-ndjson; charset=utf-8",
    head: "",
    line: (row) => `${JSON.stringify(row)}\n`,
  },
  csv: { contentType: "text/csv; charset=utf-8; header=present", head: CSV_HEAD, line: toCsvLine },
  ocsf: {
    contentType: "application/x-ndjson; charset=utf-8",
    head: "",
    line: (row) => `${JSON.stringify(toOcsfEvent(row))}\n`,
  },
};

const lines = { schema: { type: "string" as const } };
const exportRoute = declareRoute(
  { action: "list", resource: "{tenant}" },
  {
    method: "get",
    path: "/api/v1/audit-logs/export",
    tags: ["access"],
    summary: "The audit of a tenant as a file: JSON lines, CSV, or OCSF events as JSON lines",
    request: { query: auditExportQuery },
    responses: {
      200: {
        description: "Oldest first; a file that was cut off did not end",
        content: { "application/x-ndjson": lines, "text/csv": lines },
      },
    },
  },
);

/** `GET /audit-logs/export`. */
export function registerAuditExport(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(exportRoute, async (c) => {
    const { format, ...query } = c.req.valid("query");
    const tenant = await resolveTenant(c, deps, query.tenant);
    await requirePermission(c, "list", tenant);
    const pages = readPages(c, deps, { tenant, format, filters: auditFilters(query) });
    // The first page is read before the answer begins: until then there is a problem to answer with.
    const first = await pages.next();
    return c.body(toStream(first, pages), 200, {
      "content-type": FORMATS[format].contentType,
      "content-disposition": `attachment; filename="audit-${tenant}.${format === "csv" ? "csv" : "jsonl"}"`,
      "cache-control": "no-store",
    });
  });
}

/** The file in pieces of a page each. Whoever exports is audited, before anything is read. */
async function* readPages(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  what: { tenant: string; format: AuditFormat; filters: AuditFilters },
): AsyncGenerator<string, void> {
  const { tenant, filters } = what;
  const format = FORMATS[what.format];
  const read = (cursor: AuditPlace | null) =>
    withTenant(deps.database(c), tenant, (tx) =>
      searchAuditLogs(tx, { ...filters, cursor, limit: AUDIT_EXPORT_PAGE_MAX, order: "oldest_first" }),
    );
  try {
    await recordExport(c, deps, what);
    let cursor: AuditPlace | null = null;
    let head = format.head;
    do {
      const page: { items: AuditLogRow[]; nextCursor: AuditPlace | null } = await read(cursor);
      yield head + page.items.map((row) => format.line(viewAuditLog(row))).join("");
      head = "";
      cursor = page.nextCursor;
    } while (cursor !== null);
  } finally {
    // What was opened for the request has been released with its answer; this is what the file needed since.
    deps.release(c);
  }
}

async function recordExport(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  { tenant, format, filters }: { tenant: string; format: AuditFormat; filters: AuditFilters },
): Promise<void> {
  const { principal, traceId } = c.var;
  const names = Object.entries(filters).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const filtered = names.length === 0 ? "" : ` filtered by ${names.join(", ")}`;
  await withTenant(deps.database(c), tenant, (tx) =>
    appendAuditRows(tx, [
      {
        tenant,
        actor: principal.actor,
        ip: principal.ip,
        action: "read",
        resource: `${tenant}/audit-logs`,
        outcome: "success",
        traceId,
        summary: `exported the audit as ${format}${filtered}`,
        position: null,
        createdAtMs: deps.nowMs(),
      },
    ]),
  );
}

/** Reads on only when what was read has been taken; a reader that leaves ends it. */
function toStream(
  first: IteratorResult<string, void>,
  pages: AsyncGenerator<string, void>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next: IteratorResult<string, void> | null = first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const page = next ?? (await pages.next());
          next = null;
          if (page.done === true) {
            controller.close();
            return;
          }
          if (page.value === "") continue;
          controller.enqueue(encoder.encode(page.value));
          return;
        }
      },
      async cancel() {
        await pages.return();
      },
    },
    { highWaterMark: 0 },
  );
}
