import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { problemResponse, TRACE_ID_HEADER } from "../../contracts/problem/problem.ts";

/** A hub's refusal as an answer; what is not a `ConfluxError` is told as `internal`, its text kept to the log. */
export function asConfluxError(error: unknown): ConfluxError {
  return error instanceof ConfluxError
    ? error
    : new ConfluxError("internal", "the hub failed unexpectedly", { cause: error });
}

/** The problem document of a refused watch, with the trace of the request where the edge passed one on. */
export function refusalResponse(error: ConfluxError, request: Request): Response {
  const passed = request.headers.get(TRACE_ID_HEADER) ?? "";
  return problemResponse(
    error,
    /^[0-9a-f]{32}$/.test(passed) ? passed : crypto.randomUUID().replaceAll("-", ""),
  );
}

/** Accepts an upgrade only to close it with `code`: the one way to tell a WebSocket client why. */
export function closedSocket(code: number, reason: string): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.close(code, reason);
  return new Response(null, { status: 101, webSocket: client });
}
