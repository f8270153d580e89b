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
/** SQLSTATE classes and codes: connection, resources, operator intervention (shutdown, cancelled by timeout), lock timeout. */
const AWAY_SQLSTATES = ["08", "53", "57", "55P03"];
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
export function isPostgresAway(error: unknown): boolean {
  const code = postgresCodeOf(error);
  if (code !== undefined) {
    return AWAY_CODES.has(code) || (code.length === 5 && AWAY_SQLSTATES.some((s) => code.startsWith(s)));
  }
  // A socket of workerd fails without a code; the client passes its error on as the cause of the query's.
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    if (/proxy request failed|network connection lost|socket|connect/i.test(e.message)) return true;
  }
  return false;
}

/** `unavailable` when the database is away; any other error unchanged. */
export function mapPostgresError(error: unknown): unknown {
  if (error instanceof ConfluxError || !isPostgresAway(error)) return error;
  return new ConfluxError("unavailable", "The database is unavailable.", {
    cause: error,
    retryAfterS: RETRY_AFTER_S,
  });
}

export const UNIQUE_VIOLATION = "23505";
export const FOREIGN_KEY_VIOLATION = "23503";
