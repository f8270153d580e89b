import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const ATTEMPTS_MAX = 40;
const RETRY_PAUSE_MS = 250;
const REQUEST_MS_MAX = 10_000;

export interface AdminClient {
  /** A request to a path below `/api/v1`; answers its JSON, and throws for any refusal. */
  request(method: "GET" | "POST", path: string, body?: object): Promise<Record<string, unknown>>;
}

/** What a start says to the admin API. Retries while a part of the stack is still waking (503), some seconds long. */
export function createAdminClient({ url, token }: { url: string; token: string }): AdminClient {
  return {
    request: async (method, path, body) => {
      // One key for all attempts: however often it is sent, it is written once.
      const headers = {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        "x-idempotency-key": randomUUID(),
      };
      for (let attempt = 1; ; attempt += 1) {
        const response = await fetch(`${url}/api/v1${path}`, {
          method,
          headers,
          signal: AbortSignal.timeout(REQUEST_MS_MAX),
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const answer = await response.text();
        if (response.ok) return JSON.parse(answer) as Record<string, unknown>;
        if (response.status !== 503 || attempt === ATTEMPTS_MAX) {
          throw new Error(`${method} ${path} answered ${response.status}: ${answer.slice(0, 1000)}`);
        }
        await sleep(RETRY_PAUSE_MS);
      }
    },
  };
}
