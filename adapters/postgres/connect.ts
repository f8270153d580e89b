import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";

/** Connections one client may hold; a Worker makes a client per request. */
export const CONNECTIONS_MAX = 5;
/** How long a connection may take to be made. */
export const CONNECT_TIMEOUT_S = 1;
const CLOSE_TIMEOUT_S = 1;

/** A pool of connections as one role, and what closes it. Made by `connectPostgres`, used through `withTenant`. */
export interface Database {
  readonly db: PostgresJsDatabase;
  /** Waits for the queries on the way, at most a second. Never rejects: nothing can be done about it. */
  close(): Promise<void>;
}

/**
 * A client of the database at `url`; nothing is connected until the first query. In a Worker make one per request and
 * hand `close()` to `ctx.waitUntil`: a socket belongs to the request that opened it.
 */
export function connectPostgres(
  url: string,
  options: { connectionsMax?: number; preparedStatements?: boolean } = {},
): Database {
  const client = postgres(url, {
    max: options.connectionsMax ?? CONNECTIONS_MAX,
    // A round trip that only serves array columns, which drizzle parses itself.
    fetch_types: false,
    connect_timeout: CONNECT_TIMEOUT_S,
    prepare: options.preparedStatements ?? true,
    onnotice: () => undefined,
  });
  return { db: drizzle(client), close: () => client.end({ timeout: CLOSE_TIMEOUT_S }) };
}
