import type { Database } from "../../adapters/postgres/connect.ts";
import { type ChangeTimes, readChangeTimes } from "../../adapters/postgres/read-change-times.ts";
import { sweepDelivery } from "../../adapters/postgres/sweep-delivery.ts";
import { tenantExists } from "../../adapters/postgres/tenant-exists.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { type ClientReport, writeDeliveryReports } from "../../adapters/postgres/write-delivery-reports.ts";
import { type FetchTime, writeFetchTimes } from "../../adapters/postgres/write-fetch-times.ts";
import { type DeliveryMessage, deliveryMessageSchema } from "../../contracts/delivery/delivery-message.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { LogLine } from "./principal.ts";

const TENANT_DEADLINE_MS = 10_000;
/** Tenants in a row for which Postgres was away after which the rest of a batch is not even tried. */
const AWAY_TENANTS_MAX = 3;
/** What a message that could not be written waits: twice as long each time, up to the last. */
const RETRY_MIN_S = 5;
const RETRY_MAX_S = 300;
/** How often, and how long each time, a message waits for the audit to come to the change that it is about. */
const CHANGE_WAITS_MAX = 10;
const CHANGE_WAIT_S = 2;

/** The part of a queue's message that is read here. */
export interface QueueMessage {
  readonly id: string;
  readonly body: unknown;
  /** 1 when it comes for the first time. */
  readonly attempts: number;
  ack(): void;
  retry(options: { delaySeconds: number }): void;
}

export interface DeliveryDeps {
  database: Database;
  nowMs: () => number;
  log: (line: LogLine) => void;
}

/** What a message has for one tenant. */
interface Part {
  message: QueueMessage;
  reports: Omit<ClientReport, "change">[];
  /** Of each report: the index of the change that it is about. */
  changes: (number | null)[];
  fetched: FetchTime[];
}

/**
 * Writes a batch of the queue `conflux-delivery` into Postgres, each tenant in a transaction of its own (E16). A message is
 * acknowledged when all of it is committed, and otherwise comes again; what comes again changes nothing that is there
 * already. With Postgres away the whole batch waits in the queue. A message that can never be written keeps no other
 * back, and ends in the dead-letter queue.
 */
export async function consumeDelivery(messages: readonly QueueMessage[], deps: DeliveryDeps): Promise<void> {
  const retries = new Map<QueueMessage, number>();
  const later = (message: QueueMessage, delayS: number): void => {
    retries.set(message, Math.max(delayS, retries.get(message) ?? 0));
  };
  const parts = new Map<string, Part[]>();
  for (const message of messages) {
    const parsed = deliveryMessageSchema.safeParse(message.body);
    if (parsed.success) split(message, parsed.data, parts);
    else {
      deps.log({
        level: "error",
        message: "unreadable delivery message",
        id: message.id,
        error: parsed.error.message,
      });
      later(message, retryDelayS(message));
    }
  }
  let awayInARow = 0;
  for (const [tenant, ofTenant] of [...parts].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const isGivenUp = awayInARow >= AWAY_TENANTS_MAX;
    const outcome: Outcome = isGivenUp ? outcomeAway(ofTenant) : await writeTenant(deps, tenant, ofTenant);
    awayInARow = outcome.isAway ? awayInARow + 1 : 0;
    for (const { message } of outcome.awaiting) later(message, CHANGE_WAIT_S);
    for (const { message } of outcome.failed) later(message, retryDelayS(message));
  }
  for (const message of messages) {
    const delaySeconds = retries.get(message);
    if (delaySeconds === undefined) message.ack();
    else message.retry({ delaySeconds });
  }
}

const retryDelayS = ({ attempts }: QueueMessage): number =>
  Math.min(RETRY_MAX_S, RETRY_MIN_S * 2 ** Math.min(attempts - 1, 10));

const tenantOf = (config: string): string => config.slice(0, config.indexOf("/"));

/** Adds what a message has for each of its tenants. */
function split(message: QueueMessage, body: DeliveryMessage, parts: Map<string, Part[]>): void {
  const partOf = (tenant: string): Part => {
    const ofTenant = parts.get(tenant) ?? [];
    parts.set(tenant, ofTenant);
    const last = ofTenant.at(-1);
    if (last?.message === message) return last;
    const part: Part = { message, reports: [], changes: [], fetched: [] };
    ofTenant.push(part);
    return part;
  };
  const { region } = body;
  if (body.kind === "fetches") {
    for (const [config, atMs] of body.fetched)
      partOf(tenantOf(config)).fetched.push({ config, region, atMs });
    return;
  }
  const part = partOf(body.tenant);
  for (const report of body.reports) {
    // A token reads one tenant; nothing else is let in here either.
    if (tenantOf(report.config) !== body.tenant) continue;
    const { config, version, state, reason, position, at_ms, change_index } = report;
    part.changes.push(change_index);
    part.reports.push({
      config,
      clientId: body.client_id,
      region,
      versionId: version,
      state,
      reason,
      position,
      atMs: at_ms,
      receivedAtMs: body.received_at_ms,
    });
  }
}

interface Outcome {
  /** Not written: the audit has not come to the changes they are about. */
  awaiting: Part[];
  failed: Part[];
  /** Postgres did not answer. */
  isAway: boolean;
}

const outcomeAway = (parts: readonly Part[]): Outcome => ({ awaiting: [], failed: [...parts], isAway: true });

/** Writes the parts of one tenant together and, when one of them makes that impossible, each by itself. */
async function writeTenant(deps: DeliveryDeps, tenant: string, parts: readonly Part[]): Promise<Outcome> {
  try {
    return { awaiting: await writeParts(deps, tenant, parts), failed: [], isAway: false };
  } catch (error) {
    const isAway = error instanceof ConfluxError && error.code === "unavailable";
    const reason = error instanceof Error ? error.message : String(error);
    deps.log({
      level: isAway ? "warn" : "error",
      message: "delivery not written",
      tenant,
      parts: parts.length,
      error: reason,
    });
    if (isAway) return outcomeAway(parts);
    if (parts.length === 1) return { awaiting: [], failed: [...parts], isAway: false };
  }
  const outcome: Outcome = { awaiting: [], failed: [], isAway: false };
  for (const part of parts) {
    const { awaiting, failed, isAway } = await writeTenant(deps, tenant, [part]);
    outcome.awaiting.push(...awaiting);
    outcome.failed.push(...failed);
    outcome.isAway ||= isAway;
  }
  return outcome;
}

/** One transaction. Answers the parts that were left out because the audit has not come to their changes. */
function writeParts(deps: DeliveryDeps, tenant: string, parts: readonly Part[]): Promise<Part[]> {
  return withTenant(
    deps.database,
    tenant,
    async (tx) => {
      // A tenant that is gone needs nothing of this.
      if (!(await tenantExists(tx, tenant))) return [];
      const times = await readChangeTimes(tx, tenant, parts.flatMap(changesOf));
      const awaiting = parts.filter(
        (part) => part.message.attempts <= CHANGE_WAITS_MAX && changesOf(part).some(times.isAwaited),
      );
      const ready = parts.filter((part) => !awaiting.includes(part));
      const reports = ready.flatMap((part) => reportsOf(part, times));
      const { configsWithNewClients } = await writeDeliveryReports(tx, tenant, reports);
      await writeFetchTimes(
        tx,
        tenant,
        ready.flatMap(({ fetched }) => fetched),
      );
      await sweepDelivery(tx, tenant, { nowMs: deps.nowMs(), configsWithNewClients });
      return awaiting;
    },
    { deadlineMs: TENANT_DEADLINE_MS },
  );
}

const changeOf = (part: Part, i: number) => {
  const [report, index] = [part.reports[i], part.changes[i]];
  if (report === undefined || report.position === null || index === null || index === undefined) return null;
  return { ...report.position, config: report.config, index };
};

const changesOf = (part: Part) => part.reports.flatMap((_, i) => changeOf(part, i) ?? []);

function reportsOf(part: Part, times: ChangeTimes): ClientReport[] {
  return part.reports.map((report, i) => {
    const change = changeOf(part, i);
    const atMs = change === null ? undefined : times.changedAtMs(change);
    return {
      ...report,
      change: change === null || atMs === undefined ? null : { index: change.index, atMs },
    };
  });
}
