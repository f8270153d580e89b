import type { QueuedReport, ReportsMessage } from "../../contracts/delivery/delivery-message.ts";
import { type DeliveryReport, reportsRequestSchema } from "../../contracts/delivery/report-api.ts";
import { REPORTS_BODY_BYTES_MAX, REPORTS_MAX } from "../../contracts/limits.ts";
import { TRACE_ID_HEADER } from "../../contracts/problem/problem.ts";
import { scopesAllowRead } from "../../domain/access/scope.ts";
import { isNewerReport, reportTimeMs } from "../../domain/delivery/delivery-report.ts";
import { type IndexPosition, parseIndexToken } from "../../domain/delivery/index-token.ts";
import { authenticate, bearerToken, refuseRevoked } from "./authenticate.ts";
import { withDeadline } from "./deadline.ts";
import type { Exchange } from "./exchange.ts";
import { limitClientRate } from "./limit-client-rate.ts";
import { readJson } from "./read-json.ts";
import { ensureHead, readHead } from "./read-head.ts";

/** How long the queue may take to have a message. */
const QUEUE_DEADLINE_MS = 2000;
const EXPECTED = `{"client_id", "reports": [1 to ${REPORTS_MAX} of {"config", "version", "index", "state", "reason"?, "at"}]}`;

interface PlacedReport {
  report: DeliveryReport;
  position: IndexPosition | null;
  reported_at_ms: number;
}

/**
 * `POST /api/v1/reports` (E16): which versions a client has applied or refused. 202 once the queue has them; nothing waits
 * for the database behind it. Reports on configs that the token may not read, or that are not there, are left out
 * without a word. Throws `unavailable` when the queue is away: the client sends again, which does no harm.
 */
export async function postReports(exchange: Exchange): Promise<Response> {
  const { request, region, traceId, isolate } = exchange;
  const token = await authenticate(exchange, bearerToken(exchange));
  await limitClientRate(exchange, token);
  const { client_id, reports } = await readJson(request, {
    bytesMax: REPORTS_BODY_BYTES_MAX,
    schema: reportsRequestSchema,
    expected: EXPECTED,
  });
  await ensureHead(exchange);
  refuseRevoked(exchange, token);
  const receivedAtMs = Date.now();
  const allowed = reports.filter(({ config }) => scopesAllowRead(token.scopes, config));
  const kept = await describeChanges(exchange, await newestOfEach(exchange, allowed, receivedAtMs));
  if (kept.length > 0) {
    const message: ReportsMessage = {
      kind: "reports",
      tenant: token.tenant,
      region: region.name,
      client_id,
      received_at_ms: receivedAtMs,
      reports: kept,
    };
    const sent = isolate.env.DELIVERY.send(message, { contentType: "json" });
    await withDeadline(sent, QUEUE_DEADLINE_MS, "the queue of delivery reports");
  }
  return new Response(null, { status: 202, headers: { [TRACE_ID_HEADER]: traceId } });
}

/**
 * Of several reports on one config the newest, and the newest that says "applied": what the client runs when it has refused
 * what came after. All others have been overtaken already.
 */
async function newestOfEach(
  { isolate }: Exchange,
  reports: readonly DeliveryReport[],
  receivedAtMs: number,
): Promise<PlacedReport[]> {
  const newest = new Map<string, PlacedReport>();
  const applied = new Map<string, PlacedReport>();
  for (const report of reports) {
    const placed: PlacedReport = {
      report,
      position: await isolate.signer.verify(report.index),
      reported_at_ms: reportTimeMs(Date.parse(report.at), receivedAtMs),
    };
    for (const kept of report.state === "applied" ? [newest, applied] : [newest]) {
      const known = kept.get(report.config);
      if (known === undefined || isNewerReport(placed, known)) kept.set(report.config, placed);
    }
  }
  return [...new Set([...newest.values(), ...applied.values()])];
}

/**
 * The reports on configs that the region has, each with the change that it is about. A region that is behind what the
 * clients have read is waited for, like for a fetch with this minimum index.
 */
async function describeChanges(exchange: Exchange, placed: readonly PlacedReport[]): Promise<QueuedReport[]> {
  if (placed.length === 0) return [];
  const names = [...new Set(placed.map(({ report }) => report.config))];
  const head = await readHead(exchange, names, latestPosition(placed));
  const at = parseIndexToken(head.token)?.position ?? null;
  const entries = new Map(head.entries.map((entry) => [entry.name, entry]));
  return placed.flatMap(({ report, position }) => {
    const entry = entries.get(report.config);
    if (entry === undefined || entry.doc === null) return [];
    const { config, version, state, reason } = report;
    const known = position !== null && isOfLine(position, at) && entry.index <= position.index;
    return [
      {
        config,
        version,
        state,
        reason: reason ?? null,
        at_ms: Date.parse(report.at),
        position,
        change_index: known ? entry.index : null,
      },
    ];
  });
}

function latestPosition(placed: readonly PlacedReport[]): IndexPosition | null {
  let latest: IndexPosition | null = null;
  for (const { position } of placed) {
    if (position === null) continue;
    const isLater =
      latest === null ||
      position.epoch > latest.epoch ||
      (position.epoch === latest.epoch && position.index > latest.index);
    if (isLater) latest = position;
  }
  return latest;
}

const isOfLine = (position: IndexPosition, of: IndexPosition | null): boolean =>
  of !== null && position.cluster_id === of.cluster_id && position.epoch === of.epoch;
