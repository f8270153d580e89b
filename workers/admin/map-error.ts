import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ZodError } from "zod";
import { ConfluxError, type FieldError, STATUS_BY_CODE } from "../../contracts/problem/error-codes.ts";
import { problemResponse } from "../../contracts/problem/problem.ts";
import { logFailure } from "./log-failure.ts";
import type { AdminEnv } from "./principal.ts";

/** Errors of one refusal by a request schema. */
const FIELD_ERRORS_MAX = 50;

/** The one place where what a handler throws becomes an answer. Each 5xx is logged; what nobody foresaw is told as `internal`. */
export function answerError(error: Error, c: Context<AdminEnv>): Response {
  const refused = toConfluxError(error, c);
  c.set("refused", refused);
  if (refused === error && STATUS_BY_CODE[refused.code] >= 500) logFailure(c, refused);
  const response = problemResponse(refused, c.var.traceId);
  // As the edge says it (RFC 9110: a 401 says how to show who one is).
  if (response.status === 401) response.headers.set("www-authenticate", 'Bearer realm="conflux"');
  return response;
}

function toConfluxError(error: Error, c: Context<AdminEnv>): ConfluxError {
  if (error instanceof ConfluxError) return error;
  if (error instanceof HTTPException && error.status === 415) {
    return new ConfluxError("unsupported_media_type", "Send the body as application/json");
  }
  if (error instanceof HTTPException && error.status === 400) {
    return new ConfluxError("malformed_request", "The body is not JSON that can be read");
  }
  c.var.deps.log({
    level: "error",
    message: "unexpected error",
    trace_id: c.var.traceId,
    method: c.req.method,
    path: c.req.path,
    error: error.message,
    stack: error.stack ?? "",
  });
  return new ConfluxError("internal", "Unexpected error; the trace id leads to its log line", {
    cause: error,
  });
}

/** Where a part of the request stands in `errors[].path`: fields of the body at the root, the others below a name. */
const PATH_PREFIX: Record<string, string> = { json: "", query: "/query", param: "/path", header: "/headers" };

/** Refuses a request whose body, query, path or headers its schema does not accept. */
export function refuseInvalid(result: { success: boolean; target: string; error?: ZodError }): void {
  if (result.success || !result.error) return;
  const prefix = PATH_PREFIX[result.target] ?? "";
  const errors: FieldError[] = result.error.issues.slice(0, FIELD_ERRORS_MAX).flatMap((issue) => {
    const path = prefix + issue.path.map((key) => `/${escapePointer(String(key))}`).join("");
    if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
    return issue.keys.map((key) => ({ path: `${path}/${escapePointer(key)}`, message: "unknown field" }));
  });
  throw new ConfluxError("validation_failed", "The request does not satisfy its schema", { errors });
}

function escapePointer(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
