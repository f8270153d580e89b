import type { AuditLogView } from "../../contracts/access/audit-api.ts";

/** Columns of the file, in order. */
const COLUMNS: readonly (readonly [string, (row: AuditLogView) => string | number | undefined])[] = [
  ["id", (row) => row.id],
  ["tenant", (row) => row.tenant],
  ["created_at", (row) => row.created_at],
  ["actor_type", (row) => row.actor.type],
  ["actor_id", (row) => row.actor.id],
  ["actor_name", (row) => row.actor.name],
  ["ip", (row) => row.ip],
  ["action", (row) => row.action],
  ["resource", (row) => row.resource],
  ["outcome", (row) => row.outcome],
  ["summary", (row) => row.summary],
  ["trace_id", (row) => row.trace_id],
  ["cluster_id", (row) => row.position?.cluster_id],
  ["epoch", (row) => row.position?.epoch],
  ["index", (row) => row.position?.index],
  ["seq", (row) => row.seq],
  ["prev_hash", (row) => row.prev_hash],
  ["hash", (row) => row.hash],
];
const LINE_END = "\r\n";
/** What makes a spreadsheet take a cell for a formula, or for the end of one. */
const FORMULA_START = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/u;

export const CSV_HEAD = COLUMNS.map(([name]) => name).join(",") + LINE_END;

/**
 * A row as RFC 4180 has it. A cell that a spreadsheet would compute begins with an apostrophe: it then differs from the row
 * by that, so whoever wants to compute hashes takes JSON lines.
 */
export function toCsvLine(row: AuditLogView): string {
  return COLUMNS.map(([, cell]) => toCell(cell(row))).join(",") + LINE_END;
}

function toCell(value: string | number | undefined): string {
  if (typeof value === "number") return String(value);
  const text = value ?? "";
  const safe = FORMULA_START.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
