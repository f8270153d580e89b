import { DrizzleQueryError } from "drizzle-orm";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";

/** Codes of postgres.js and of sockets that mean "the database is not there". */
const AWAY_CODES = new Set([
  "CONNECT_TIMEOUT",
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
]);
/** SQLSTATE classes after which the server has closed the connection, or is about to. */
const LOST_SQLSTATES = ["08", "57P"];
/** Those, and: rolled back for a deadlock, out of resources, cancelled by the statement's timeout, lock timeout. */
const AWAY_SQLSTATES = [...LOST_SQLSTATES, "40", "53", "57", "55P03"];
const RETRY_AFTER_S = 1;

/** The SQLSTATE or the client's code of an error or of its cause; drizzle wraps what the client threw. */
export function postgresCodeOf(error: unknown): string | undefined {
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    const code = (e as { code?: unknown }).code;
    if (typeof code === "string") return code;
  }
  return undefined;
}

/** Whether an error says that the database could not be reached or could not answer in time. */
function isPostgresAway(error: unknown, isDrivers: boolean): boolean {
  return isOf(error, AWAY_SQLSTATES) || isPlainSocketError(error, isDrivers);
}

/** Whether an error of a query says that its connection is gone, so that nothing can be sent on it. */
export function isConnectionLost(error: unknown): boolean {
  return isOf(error, LOST_SQLSTATES) || isPlainSocketError(error, false);
}

function isOf(error: unknown, sqlstates: readonly string[]): boolean {
  const code = postgresCodeOf(error);
  if (code === undefined) return false;
  return AWAY_CODES.has(code) || (code.length === 5 && sqlstates.some((s) => code.startsWith(s)));
}

/** A socket of workerd fails with a plain Error and no code; a TypeError is a fault of ours. */
function isPlainSocketError(error: unknown, isDrivers: boolean): boolean {
  if (postgresCodeOf(error) !== undefined) return false;
  const cause = error instanceof DrizzleQueryError ? error.cause : isDrivers ? error : undefined;
  return cause instanceof Error && !(cause instanceof TypeError);
}

/**
 * `unavailable` when the database is away. Of a query's error only its cause, since the wrapper's message quotes the
 * parameters, and those may be secrets. Any other error unchanged. `isDrivers`: not thrown by the caller's own code.
 */
export function mapPostgresError(error: unknown, isDrivers: boolean): unknown {
  if (error instanceof ConfluxError) return error;
  if (isPostgresAway(error, isDrivers)) {
    return new ConfluxError("unavailable", "The database is unavailable.", {
      cause: error instanceof DrizzleQueryError ? error.cause : error,
      retryAfterS: RETRY_AFTER_S,
    });
  }
  return error instanceof DrizzleQueryError ? error.cause : error;
}

export const UNIQUE_VIOLATION = "23505";
