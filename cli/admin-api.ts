import { randomUUID } from "node:crypto";
import { type Problem, problemSchema } from "../contracts/problem/problem.ts";
import { type CliIo, CliError, EXIT } from "./cli-io.ts";
import type { Target } from "./find-target.ts";

const PREFIX = "/api/v1";
const REQUEST_TIMEOUT_MS = 60_000;

/** The admin API as the verbs call it. Refusals become a `CliError` with the problem's own words. */
export interface AdminApi {
  get(path: string): Promise<unknown>;
  /** Carries a new idempotency key, so that it may be sent again when its outcome is unknown. */
  post(path: string, body: object, headers?: Readonly<Record<string, string>>): Promise<unknown>;
}

export function openAdminApi(io: CliIo, { url, token }: Target): AdminApi {
  const send = async (
    method: string,
    path: string,
    body?: object,
    more: Readonly<Record<string, string>> = {},
  ): Promise<unknown> => {
    const headers: Record<string, string> = { ...more, authorization: `Bearer ${token}` };
    if (body !== undefined) {
      headers["content-type"] = "application/json";
      headers["x-idempotency-key"] = randomUUID();
    }
    let response: Response;
    try {
      response = await io.fetch(`${url}${PREFIX}${path}`, {
        method,
        headers,
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw new CliError(EXIT.unavailable, `${url} does not answer: ${reasonOf(cause)}`, { cause });
    }
    const text = await response.text();
    if (!response.ok) throw refusal(response, text);
    return parseAnswer(url, text);
  };
  return {
    get: (path) => send("GET", path),
    post: (path, body, headers) => send("POST", path, body, headers),
  };
}

function parseAnswer(url: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new CliError(EXIT.refused, `${url} answers what is no JSON: it is not the admin API`, { cause });
  }
}

function refusal(response: Response, text: string): CliError {
  const exitCode = response.status >= 500 ? EXIT.unavailable : EXIT.refused;
  const problem = parseProblem(text);
  if (problem === null) return new CliError(exitCode, `answered ${response.status} without saying why`);
  const fields = problem.errors.map(({ path, message }) => `\n  ${path}: ${message}`).join("");
  const message = `${problem.code}: ${problem.detail}${fields}\n  trace ${problem.trace_id}`;
  return new CliError(exitCode, message, { code: problem.code });
}

function parseProblem(text: string): Problem | null {
  try {
    const parsed = problemSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    // Something between us and the API answered; the status is all there is to say.
    return null;
  }
}

function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error
    ? inner.message || String((inner as NodeJS.ErrnoException).code)
    : String(inner);
}
