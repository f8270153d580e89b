import { setTimeout as sleep } from "node:timers/promises";

const ATTEMPTS_MAX = 40;
const RETRY_PAUSE_MS = 250;
const REQUEST_MS_MAX = 10_000;

/**
 * Resolves when the edge serves a config as of `index`, in the default region: a stack that says it is ready then serves what
 * it has just written. Throws what the edge said last when it does not within some seconds.
 */
export async function awaitServed(of: {
  edgeUrl: string;
  token: string;
  config: string;
  index: string;
}): Promise<void> {
  const headers = { authorization: `Bearer ${of.token}`, "x-conflux-min-index": of.index };
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(`${of.edgeUrl}/api/v1/fetch/config/${of.config}`, {
      headers,
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    });
    const text = await response.text();
    if (response.ok) return;
    if (response.status !== 503 || attempt === ATTEMPTS_MAX) {
      throw new Error(`the edge answered ${response.status} for ${of.config}: ${text.slice(0, 1000)}`);
    }
    await sleep(RETRY_PAUSE_MS);
  }
}
