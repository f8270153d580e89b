import { z } from "zod";
import { type ConfluxError, type ErrorCode, STATUS_BY_CODE, TITLE_BY_CODE } from "./error-codes.ts";

export const PROBLEM_CONTENT_TYPE = "application/problem+json";
export const TRACE_ID_HEADER = "x-trace-id";

export const fieldErrorSchema = z.object({
  path: z.string(),
  message: z.string(),
  line: z.number().int().optional(),
  column: z.number().int().optional(),
});

/** RFC 9457 problem document with Conflux's stable `code`. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.enum(Object.keys(STATUS_BY_CODE) as [ErrorCode, ...ErrorCode[]]),
    detail: z.string(),
    errors: z.array(fieldErrorSchema),
    trace_id: z.string(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof problemSchema>;

/** Builds the problem document of an error. `traceId` is the 32 hex digits of the request's trace. */
export function toProblem(error: ConfluxError, traceId: string): Problem {
  return {
    type: `urn:conflux:problem:${error.code}`,
    title: TITLE_BY_CODE[error.code],
    status: STATUS_BY_CODE[error.code],
    code: error.code,
    detail: error.message,
    errors: error.errors.map((e) => ({ ...e })),
    trace_id: traceId,
  };
}

/** After how many seconds to try again where whoever refused names no time of its own. */
export const RETRY_AFTER_DEFAULT_S = 1;

/**
 * What `Retry-After` says of an error, in seconds; null for none. Every 503 has one. Whoever makes an answer of an error
 * asks here, so that no code can be without.
 */
export function retryAfterSeconds(error: ConfluxError): number | null {
  if (error.retryAfterS !== undefined) return error.retryAfterS;
  return STATUS_BY_CODE[error.code] === 503 ? RETRY_AFTER_DEFAULT_S : null;
}

/** The HTTP answer of an error: problem document, trace id, `Retry-After` as `retryAfterSeconds` says. */
export function problemResponse(error: ConfluxError, traceId: string): Response {
  const headers = new Headers({
    "content-type": PROBLEM_CONTENT_TYPE,
    "cache-control": "no-store",
    [TRACE_ID_HEADER]: traceId,
  });
  const retryAfterS = retryAfterSeconds(error);
  if (retryAfterS !== null) headers.set("retry-after", String(retryAfterS));
  const problem = toProblem(error, traceId);
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}
