import type { Context } from "hono";
import { type ConfluxError, STATUS_BY_CODE } from "../../contracts/problem/error-codes.ts";
import type { AdminEnv } from "./principal.ts";

const PATH_CHARACTERS_MAX = 200;
const CAUSE_CHARACTERS_MAX = 500;
/** Causes of causes that a line tells of. */
const CAUSES_MAX = 5;

/**
 * One line of the log for a refusal of 5xx, so that the trace id in the answer leads to what stood behind it: the caller
 * is told no more than that a part is away.
 */
export function logFailure(c: Context<AdminEnv>, refused: ConfluxError): void {
  c.var.deps.log({
    level: "warn",
    message: "a request could not be served",
    trace_id: c.var.traceId,
    method: c.req.method,
    path: c.req.path.slice(0, PATH_CHARACTERS_MAX),
    status: STATUS_BY_CODE[refused.code],
    code: refused.code,
    detail: refused.message,
    cause: causesOf(refused),
  });
}

/** What the causes of an error say, the nearest first; null without any. */
export function causesOf(error: Error): string | null {
  const said: string[] = [];
  let cause = error.cause;
  for (; cause !== undefined && cause !== null && said.length < CAUSES_MAX; cause = causeOf(cause)) {
    said.push(wordsOf(cause));
  }
  return said.length === 0 ? null : withoutSecrets(said.join(" <- ")).slice(0, CAUSE_CHARACTERS_MAX);
}

const causeOf = (cause: unknown): unknown => (cause instanceof Error ? cause.cause : null);

function wordsOf(cause: unknown): string {
  // Whatever else is thrown may be anything, a request's body too.
  if (!(cause instanceof Error)) return typeof cause;
  const code = "code" in cause && typeof cause.code === "string" ? ` ${cause.code}` : "";
  const name = `${cause.name}${code}`;
  // A parser quotes the text, and a query's wrapper its parameters: they may be secrets.
  const isQuoting = cause instanceof SyntaxError || "params" in cause;
  return isQuoting || cause.message === "" ? name : `${name}: ${cause.message}`;
}

function withoutSecrets(text: string): string {
  return text
    .replaceAll(/\/\/[^\s/@]*@/g, "//***@")
    .replaceAll(/\bBearer\s+\S+/gi, "Bearer ***")
    .replaceAll(/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, "***");
}
