/**
 * Writes refusals into the audit, after the answer has gone out: who is refused learns nothing from how long it takes, and a
 * refusal needs no database. What can be lost: what this isolate has not written yet when it ends, which is a few
 * milliseconds of rows and one window of counts; nothing that was done. A flood makes no flood of rows: in a window a
 * caller (a user, or an address nobody signed in from) gets `REFUSAL_ROWS_PER_CALLER_MAX` rows, all callers together
 * `REFUSAL_ROWS_MAX`, and one row then tells how many more there were.
 */
import type { Context } from "hono";
import { appendRefusals, type RefusalRow } from "../../adapters/postgres/append-refusals.ts";
import type { Database } from "../../adapters/postgres/connect.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Refusal } from "./refusal.ts";
import type { AdminEnv, LogLine } from "./principal.ts";

/** Well within what a Worker may go on for after its answer. */
export const REFUSAL_WINDOW_MS = 20_000;
export const REFUSAL_ROWS_PER_CALLER_MAX = 5;
export const REFUSAL_ROWS_MAX = 200;
/** Callers that are told apart in a window; the refusals of all others are counted together. */
export const REFUSAL_CALLERS_MAX = 500;
/** Rows kept while the database is away. */
const REFUSAL_PENDING_MAX = 500;
const BATCH_MAX = 200;
/** After so long another one writes: the request that did may have been cut off. */
const WRITER_MS_MAX = 10_000;
/** The count of what could not be written, as dashboards know it. */
export const AUDIT_FAILURES_METRIC = "conflux_audit_write_failures_total";

export interface RefusalAuditDeps {
  /** A connection of its own: what belonged to the request is closed with it. */
  database: () => Database;
  nowMs: () => number;
  log: (line: LogLine) => void;
  sleep?: (ms: number) => Promise<void>;
}

interface Counted {
  last: Refusal;
  rows: number;
  more: number;
}
const EVERYONE_ELSE = "everyone else";

/** What `AdminDeps.noteRefusal` is in a deployed Worker. One an isolate. */
export function createRefusalAudit(deps: RefusalAuditDeps): (c: Context<AdminEnv>, refusal: Refusal) => void {
  const sleep = deps.sleep ?? ((ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)));
  let window = { endsAtMs: 0, rows: 0, callers: new Map<string, Counted>(), isTimed: false };
  const write = createWriter(deps);

  /** The rows that tell of the window's counts; begins the next window. */
  function closeWindow(nowMs: number): RefusalRow[] {
    const counted = [...window.callers].filter(([, { more }]) => more > 0);
    window = { endsAtMs: nowMs + REFUSAL_WINDOW_MS, rows: 0, callers: new Map(), isTimed: false };
    return counted.map(([caller, { last, more }]) => toCount(caller === EVERYONE_ELSE, last, more, nowMs));
  }

  /** Whether the refusal gets a row of its own; it is counted otherwise. */
  function isOwnRow(refusal: Refusal): boolean {
    const { callers } = window;
    const name = `${refusal.actor.type} ${refusal.actor.id} ${refusal.actor.id === "" ? refusal.ip : ""}`;
    const caller = callers.has(name) || callers.size < REFUSAL_CALLERS_MAX ? name : EVERYONE_ELSE;
    const counted = callers.get(caller) ?? { last: refusal, rows: 0, more: 0 };
    callers.set(caller, counted);
    counted.last = refusal;
    const isOwn =
      caller !== EVERYONE_ELSE &&
      counted.rows < REFUSAL_ROWS_PER_CALLER_MAX &&
      window.rows < REFUSAL_ROWS_MAX;
    if (isOwn) {
      counted.rows += 1;
      window.rows += 1;
    } else counted.more += 1;
    return isOwn;
  }

  return (c, refusal) => {
    const nowMs = deps.nowMs();
    const rows = nowMs >= window.endsAtMs ? closeWindow(nowMs) : [];
    if (isOwnRow(refusal)) rows.push({ ...refusal, createdAtMs: nowMs });
    if (rows.length > 0) c.executionCtx.waitUntil(write(rows));
    const current = window;
    if (current.isTimed || rows.length > 0) return;
    // Nobody may come again to close the window; so its first counted refusal sees to it.
    current.isTimed = true;
    const close = async (): Promise<void> => {
      await sleep(current.endsAtMs - nowMs);
      if (window === current) await write(closeWindow(deps.nowMs()));
    };
    c.executionCtx.waitUntil(close());
  };
}

/** Writes rows over one connection however many come at once: who writes takes along what others bring. Never rejects. */
function createWriter(deps: RefusalAuditDeps): (rows: readonly RefusalRow[]) => Promise<void> {
  let queue: RefusalRow[] = [];
  let writingUntilMs = 0;

  async function write(rows: readonly RefusalRow[]): Promise<void> {
    queue.push(...rows);
    if (queue.length === 0 || deps.nowMs() < writingUntilMs) return;
    writingUntilMs = deps.nowMs() + WRITER_MS_MAX;
    const database = deps.database();
    try {
      while (queue.length > 0 && (await writeBatch(database, queue.splice(0, BATCH_MAX))));
    } finally {
      writingUntilMs = 0;
      await database.close();
    }
  }

  /** Whether the batch is written; else it waits for the next refusal. */
  async function writeBatch(database: Database, batch: RefusalRow[]): Promise<boolean> {
    try {
      await appendRefusals(database, batch);
      return true;
    } catch (error) {
      // What the database refuses it would refuse again, and hold up all that come after it.
      const isAway = error instanceof ConfluxError && error.code === "unavailable";
      const waiting = isAway ? [...batch, ...queue] : queue;
      queue = waiting.slice(0, REFUSAL_PENDING_MAX);
      deps.log({
        level: "error",
        message: "audit not written",
        metric: AUDIT_FAILURES_METRIC,
        rows: batch.length,
        kept: queue.length,
        lost: waiting.length - queue.length + (isAway ? 0 : batch.length),
        trace_id: batch.at(-1)?.traceId ?? "",
        reason: error instanceof Error ? error.message : String(error),
      });
      return false;
    }
  }
  return write;
}

function toCount(isEveryoneElse: boolean, last: Refusal, more: number, nowMs: number): RefusalRow {
  const many = `${more} more refusals within ${REFUSAL_WINDOW_MS / 1000} s`;
  if (!isEveryoneElse) return { ...last, summary: `${many}, the last: ${last.summary}`, createdAtMs: nowMs };
  const actor = { type: "user" as const, id: "", name: "" };
  const summary = `${many} of callers past the first ${REFUSAL_CALLERS_MAX}`;
  return { ...last, tenant: null, actor, ip: "", resource: "api", summary, createdAtMs: nowMs };
}
