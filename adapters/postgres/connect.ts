import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import type { WaitingRoom } from "./waiting-room.ts";

/** Connections one client may hold; a Worker makes a client per request. */
export const CONNECTIONS_MAX = 5;
/** How long a connection may take to be made. */
export const CONNECT_TIMEOUT_S = 1;
const CLOSE_TIMEOUT_S = 1;

/** A pool of connections as one role. Made by `connectPostgres`, used through `withTenant`. */
export interface Database {
  readonly db: PostgresJsDatabase;
  /**
   * Leaves the pool to end its queries and begins a new one with the next use. postgres.js 3.4 can keep a connection
   * that broke in the middle of a write and never write to it again (porsager/postgres, issues 1154 and 1208).
   */
  renew(): void;
  /** Takes a place among those who wait for the database, for `forMs`; answers how to leave it. Throws `unavailable`. */
  enter(forMs: number): () => void;
  /** Waits for the queries on the way, at most a second. Never rejects: nothing can be done about it. */
  close(): Promise<void>;
}

/**
 * A client of the database at `url`; nothing is connected until the first query. In a Worker make one per request and
 * hand `close()` to `ctx.waitUntil`: a socket belongs to the request that opened it. `waitingRoom` is the isolate's: without
 * one any number may wait.
 */
export function connectPostgres(
  url: string,
  options: { connectionsMax?: number; waitingRoom?: WaitingRoom } = {},
): Database {
  const { waitingRoom } = options;
  let hasEntered = false;
  const ending = new Set<Promise<void>>();
  let pool: { client: postgres.Sql; db: PostgresJsDatabase } | null = null;

  function open() {
    const client = postgres(url, {
      max: options.connectionsMax ?? CONNECTIONS_MAX,
      // A round trip that only serves array columns, which drizzle parses itself.
      fetch_types: false,
      connect_timeout: CONNECT_TIMEOUT_S,
      onnotice: () => undefined,
    });
    return { client, db: drizzle(client) };
  }
  function renew(): void {
    if (pool === null) return;
    const end = pool.client.end({ timeout: CLOSE_TIMEOUT_S }).finally(() => ending.delete(end));
    ending.add(end);
    pool = null;
  }
  return {
    get db() {
      pool ??= open();
      return pool.db;
    },
    renew,
    enter(forMs) {
      const leave = waitingRoom?.enter(forMs, hasEntered);
      hasEntered = true;
      return leave ?? (() => undefined);
    },
    async close() {
      renew();
      await Promise.allSettled(ending);
    },
  };
}
