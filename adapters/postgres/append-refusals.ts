import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { appendAuditRows, type AuditRow } from "./append-audit-rows.ts";
import type { Database } from "./connect.ts";
import { tenantExists } from "./tenant-exists.ts";
import { inTransaction, setTenant } from "./with-tenant.ts";

const DEADLINE_MS = 5_000;

/** A row about something that was refused: `tenant` is what the caller named, so there may be no such tenant. */
export type RefusalRow = Omit<AuditRow, "tenant" | "position"> & { tenant: string | null };

/**
 * Appends rows about what was refused, each under the tenant it names if there is one, else under the system's. All or
 * none; rejects with `unavailable` when Postgres is away.
 */
export function appendRefusals(database: Database, rows: readonly RefusalRow[]): Promise<number> {
  return inTransaction(
    database,
    async (tx) => {
      const known = new Set<string>();
      for (const tenant of new Set(rows.map((row) => row.tenant))) {
        if (tenant === null) continue;
        await setTenant(tx, tenant);
        if (await tenantExists(tx, tenant)) known.add(tenant);
      }
      const placed = rows.map((row): AuditRow => {
        const tenant = row.tenant !== null && known.has(row.tenant) ? row.tenant : SYSTEM_TENANT;
        return { ...row, tenant, position: null };
      });
      return appendAuditRows(tx, placed);
    },
    { deadlineMs: DEADLINE_MS },
  );
}
