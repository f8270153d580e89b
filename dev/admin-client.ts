import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const ATTEMPTS_MAX = 20;
const RETRY_PAUSE_MS = 250;
const REQUEST_MS_MAX = 10_000;

export interface AdminClient {
  /** POSTs `body` to a path below `/api/v1` and answers its JSON. A repetition is the same write, by its key. */
  post(path: string, body: object): Promise<Record<string, unknown>>;
  put(path: string, body: object): Promise<Record<string, unknown>>;
}

/** What the first start says to the admin API. Retries while a part of the stack is still waking (503), a few seconds. */
export function createAdminClient({ url, token }: { url: string; token: string }): AdminClient {
  async function write(method: string, path: string, body: object): Promise<Record<string, unknown>> {
    const text = JSON.stringify(body);
    const key = createHash("sha256").update(`${method} ${path} ${text}`).digest("hex");
    for (let attempt = 1; ; attempt += 1) {
      const response = await fetch(`${url}/api/v1${path}`, {
        method,
        body: text,
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          "x-idempotency-key": key,
        },
        signal: AbortSignal.timeout(REQUEST_MS_MAX),
      });
      const answer = await response.text();
      if (response.ok) return JSON.parse(answer) as Record<string, unknown>;
      if (response.status !== 503 || attempt === ATTEMPTS_MAX) {
        throw new Error(`${method} ${path} answered ${response.status}: ${answer.slice(0, 1000)}`);
      }
      await sleep(RETRY_PAUSE_MS);
    }
  }
  return {
    post: (path, body) => write("POST", path, body),
    put: (path, body) => write("PUT", path, body),
  };
}
