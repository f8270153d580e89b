import { and, asc, eq, getTableColumns, sql } from "drizzle-orm";
import {
  isNewerReport,
  reportTimeMs,
  type ReportPlace,
  type ReportState,
} from "../../domain/delivery/delivery-report.ts";
import type { IndexPosition } from "../../domain/delivery/index-token.ts";
import { propagationBucket, propagationMs } from "../../domain/delivery/propagation.ts";
import { deliveryClients } from "../../migrations/schema.ts";
import { addPropagation, type PropagationSample } from "./add-propagation.ts";
import type { Transaction } from "./with-tenant.ts";

const ROWS_PER_STATEMENT_MAX = 1000;

/** What a client reported on a config. */
export interface ClientReport {
  config: string;
  clientId: string;
  region: string;
  versionId: number;
  state: ReportState;
  reason: string | null;
  position: IndexPosition | null;
  /** The client's clock. */
  atMs: number;
  /** The edge's clock. */
  receivedAtMs: number;
  /** The change that the report is about, and when it was written; null when either is unknown. */
  change: { index: number; atMs: number } | null;
}

type ClientRow = typeof deliveryClients.$inferSelect;
/** The newest report of a client on a config, as the row that it makes, with what only this report knows. */
interface Candidate {
  row: ClientRow;
  newest: ClientReport;
}

/**
 * Writes reports of one tenant; the newest of each client on each config stays, in whatever order and how often they
 * come. A row that a report has moved counts once for the histogram of propagation: a repetition moves nothing.
 * Rows are taken in the order of their keys, so that transactions with rows in common wait rather than deadlock.
 */
export async function writeDeliveryReports(
  tx: Transaction,
  tenant: string,
  reports: readonly ClientReport[],
): Promise<{ configsWithNewClients: string[] }> {
  const candidates = mergeByClient(tenant, reports);
  const samples: PropagationSample[] = [];
  const configs = new Set<string>();
  for (let from = 0; from < candidates.length; from += ROWS_PER_STATEMENT_MAX) {
    const some = candidates.slice(from, from + ROWS_PER_STATEMENT_MAX);
    const known = await lockRows(tx, tenant, some);
    const fresh = some.filter(({ row }) => !known.has(keyOf(row)));
    const inserted = await insertRows(tx, fresh);
    for (const { row } of fresh) if (inserted.has(keyOf(row))) configs.add(row.config);
    // Another transaction was first with these.
    const late = fresh.filter(({ row }) => !inserted.has(keyOf(row)));
    const foundLate = late.length === 0 ? new Map<string, ClientRow>() : await lockRows(tx, tenant, late);
    const moved: ClientRow[] = [];
    for (const candidate of some) {
      const before = known.get(keyOf(candidate.row)) ?? foundLate.get(keyOf(candidate.row));
      if (before === undefined) continue;
      const after = follow(before, candidate);
      if (after === null) continue;
      moved.push(after);
      const sample = sampleOf(before, candidate);
      if (sample !== null) samples.push(sample);
    }
    await updateRows(tx, moved);
  }
  await addPropagation(tx, tenant, samples);
  return { configsWithNewClients: [...configs] };
}

const keyOf = ({ config, clientId }: { config: string; clientId: string }): string =>
  `${config}\u0000${clientId}`;

/** One candidate for each client and config, in the order of their keys. */
function mergeByClient(tenant: string, reports: readonly ClientReport[]): Candidate[] {
  const merged = new Map<string, Candidate>();
  for (const report of reports) {
    const row = toRow(tenant, report);
    const other = merged.get(keyOf(row));
    if (other === undefined) {
      merged.set(keyOf(row), { row, newest: report });
      continue;
    }
    const isNewer = isNewerReport(placeOf(row), placeOf(other.row));
    const [newer, older] = isNewer ? [row, other.row] : [other.row, row];
    merged.set(keyOf(row), { row: merge(newer, older), newest: isNewer ? report : other.newest });
  }
  return [...merged].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, candidate]) => candidate);
}

function toRow(tenant: string, report: ClientReport): ClientRow {
  const { config, clientId, region, versionId, state, reason, position } = report;
  return {
    tenantId: tenant,
    config,
    clientId,
    region,
    versionId,
    state,
    reason,
    runningVersionId: state === "applied" ? versionId : null,
    clusterId: position?.cluster_id ?? null,
    epoch: position?.epoch ?? null,
    logIndex: position?.index ?? null,
    reportedAt: new Date(reportTimeMs(report.atMs, report.receivedAtMs)),
    seenAt: new Date(report.receivedAtMs),
  };
}

function merge(newer: ClientRow, older: ClientRow): ClientRow {
  return {
    ...newer,
    runningVersionId: newer.runningVersionId ?? older.runningVersionId,
    seenAt: newer.seenAt > older.seenAt ? newer.seenAt : older.seenAt,
  };
}

/** What becomes of a stored row; null when nothing does. */
function follow(before: ClientRow, { row }: Candidate): ClientRow | null {
  const isNewer = isNewerReport(placeOf(row), placeOf(before));
  const after = isNewer ? merge(row, before) : merge(before, row);
  const isSame =
    !isNewer &&
    after.runningVersionId === before.runningVersionId &&
    after.seenAt.getTime() === before.seenAt.getTime();
  return isSame ? null : after;
}

/**
 * How long a change took to a client that was there before it: the first report of a client tells when the client
 * started, and one that runs what it ran before tells nothing. Once: the row then stands past the change.
 */
function sampleOf(before: ClientRow, { row, newest }: Candidate): PropagationSample | null {
  const { change, position, state, versionId } = newest;
  if (change === null || position === null || state !== "applied") return null;
  if (before.runningVersionId === versionId) return null;
  if (before.clusterId !== position.cluster_id || before.epoch !== position.epoch) return null;
  if (before.logIndex === null || before.logIndex >= change.index) return null;
  const { atMs: appliedAtMs, receivedAtMs } = newest;
  const latencyMs = propagationMs({ changedAtMs: change.atMs, appliedAtMs, receivedAtMs });
  if (latencyMs === null) return null;
  const day = new Date(receivedAtMs).toISOString().slice(0, 10);
  return { config: row.config, region: row.region, day, leMs: propagationBucket(latencyMs) };
}

function placeOf(row: ClientRow): ReportPlace {
  const { clusterId, epoch, logIndex } = row;
  const isKnown = clusterId !== null && epoch !== null && logIndex !== null;
  return {
    position: isKnown ? { cluster_id: clusterId, epoch, index: logIndex } : null,
    reported_at_ms: row.reportedAt.getTime(),
  };
}

async function lockRows(
  tx: Transaction,
  tenant: string,
  candidates: readonly Candidate[],
): Promise<Map<string, ClientRow>> {
  const keys = JSON.stringify(candidates.map(({ row }) => ({ c: row.config, i: row.clientId })));
  const rows = await tx
    .select()
    .from(deliveryClients)
    .where(
      and(
        eq(deliveryClients.tenantId, tenant),
        sql`(${deliveryClients.config}, ${deliveryClients.clientId}) in (
          select k.c, k.i from jsonb_to_recordset(${keys}::text::jsonb) as k(c text, i text))`,
      ),
    )
    .orderBy(asc(deliveryClients.config), asc(deliveryClients.clientId))
    .for("update");
  return new Map(rows.map((row) => [keyOf(row), row]));
}

/** Inserts what is not there, and answers which were not. */
async function insertRows(tx: Transaction, candidates: readonly Candidate[]): Promise<Set<string>> {
  if (candidates.length === 0) return new Set();
  const inserted = await tx
    .insert(deliveryClients)
    .values(candidates.map(({ row }) => row))
    .onConflictDoNothing()
    .returning({ config: deliveryClients.config, clientId: deliveryClients.clientId });
  return new Set(inserted.map(keyOf));
}

/** Rows that are there and locked take new values. */
async function updateRows(tx: Transaction, rows: ClientRow[]): Promise<void> {
  if (rows.length === 0) return;
  const { tenantId, config, clientId, ...values } = getTableColumns(deliveryClients);
  const set = Object.fromEntries(
    Object.entries(values).map(([field, column]) => [field, sql`excluded.${sql.identifier(column.name)}`]),
  );
  await tx
    .insert(deliveryClients)
    .values(rows)
    .onConflictDoUpdate({ target: [tenantId, config, clientId], set });
}
