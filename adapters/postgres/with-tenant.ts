import { sql } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Database } from "./connect.ts";
import { isConnectionLost, mapPostgresError, postgresCodeOf } from "./map-postgres-error.ts";

/** A transaction, as verbs take it. */
export type Transaction = Parameters<Parameters<PostgresJsDatabase["transaction"]>[0]>[0];

/** One statement may run this long on the server. */
export const STATEMENT_TIMEOUT_MS = 1400;
/** A whole transaction, connecting included, may take this long before its caller is told `unavailable`. */
export const TRANSACTION_DEADLINE_MS = 1700;
/** How long to wait, at least, when the server has no connection left. */
const CONNECTION_RETRY_MS = 25;
const TOO_MANY_CONNECTIONS = "53300";

export interface TransactionLimits {
  deadlineMs?: number;
}

/**
 * Runs `fn` in a transaction in which row-level security shows the rows of `tenantId` and no others. Commits when `fn`
 * resolves, rolls back when it rejects. Rejects with `unavailable` when the database is away or does not answer
 * within `TRANSACTION_DEADLINE_MS`, the transaction may then still have been committed, so a write needs a key; and at
 * once, with nothing begun, when too many wait for it already (`WaitingRoom`).
 * `fn` awaits its queries and nothing else: a transaction that waits for another party holds its locks meanwhile.
 */
export function withTenant<T>(
  database: Database,
  tenantId: string,
  fn: (tx: Transaction) => Promise<T>,
  limits: TransactionLimits = {},
): Promise<T> {
  return run(database, { tenantId, fn }, limits);
}

/** Makes `tenantId` the tenant of the rest of the transaction: what a projection does for each tenant in turn. */
export async function setTenant(tx: Transaction, tenantId: string): Promise<void> {
  await tx.execute(sql`select set_config('conflux.tenant_id', ${tenantId}, true)`);
}

/** Like `withTenant`, but no tenant is set: tenant tables look empty until `setTenant`. */
export function inTransaction<T>(
  database: Database,
  fn: (tx: Transaction) => Promise<T>,
  limits: TransactionLimits = {},
): Promise<T> {
  return run(database, { tenantId: "", fn }, limits);
}

interface Work<T> {
  /** Empty for none. */
  tenantId: string;
  fn: (tx: Transaction) => Promise<T>;
}

async function run<T>(database: Database, work: Work<T>, limits: TransactionLimits): Promise<T> {
  const deadlineMs = limits.deadlineMs ?? TRANSACTION_DEADLINE_MS;
  const leave = database.enter(deadlineMs);
  try {
    return await retryFull(database, work, deadlineMs);
  } finally {
    leave();
  }
}

async function retryFull<T>(database: Database, work: Work<T>, deadlineMs: number): Promise<T> {
  const startedMs = performance.now();
  for (;;) {
    const leftMs = deadlineMs - (performance.now() - startedMs);
    try {
      return await attempt(database, work, leftMs);
    } catch (error) {
      // All connections are taken: nothing has run, and the next one is free in a moment.
      const isFull = error instanceof ConfluxError && postgresCodeOf(error.cause) === TOO_MANY_CONNECTIONS;
      const pauseMs = CONNECTION_RETRY_MS * (1 + Math.random());
      if (!isFull || leftMs < 2 * pauseMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

async function attempt<T>(database: Database, { tenantId, fn }: Work<T>, deadlineMs: number): Promise<T> {
  let callersError: unknown;
  const lost = Promise.withResolvers<never>();
  const work = database.db.transaction(async (tx) => {
    try {
      // The tenant in any case: a session that somebody else has set one for must not lend it to this transaction.
      await tx.execute(sql`select set_config('statement_timeout', ${String(STATEMENT_TIMEOUT_MS)}, true),
        set_config('conflux.tenant_id', ${tenantId}, true)`);
      return await fn(tx);
    } catch (error) {
      callersError = error;
      if (!isConnectionLost(error)) throw error;
      // Were this to reject, the client would send ROLLBACK on the connection that is gone, and postgres.js 3.4 then
      // throws where nobody can catch it (porsager/postgres, issue 1208). The server has rolled back by itself.
      lost.reject(error);
      return new Promise<never>(() => undefined);
    }
  });
  try {
    return await within(Promise.race([work, lost.promise]), deadlineMs);
  } catch (error) {
    const mapped = mapPostgresError(error, error !== callersError);
    if (mapped instanceof ConfluxError && mapped.code === "unavailable" && mapped !== callersError)
      database.renew();
    throw mapped;
  }
}

/** A peer that accepts and never answers is away too; no setting of the client covers that. */
async function within<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(
        new ConfluxError("unavailable", "The database did not answer in time.", {
          retryAfterS: 1,
        }),
      );
    }, deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
