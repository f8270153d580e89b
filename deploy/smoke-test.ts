import { DeployRefusal } from "./refusal.ts";

const REQUEST_MS_MAX = 10_000;

/**
 * Asks a deployed system the least that shows it whole: the admin Worker reaches the core and Postgres, its keys are
 * published, and the edge, which reads them, knows a stranger. Throws a `DeployRefusal` that names what answers wrongly.
 */
export async function smokeTest(urls: { edgeUrl: string; adminUrl: string }): Promise<string[]> {
  const asked: [string, number][] = [
    [`${urls.adminUrl}/readyz`, 200],
    [`${urls.adminUrl}/.well-known/jwks.json`, 200],
    [`${urls.edgeUrl}/api/v1/fetch/config/smoke/smoke/smoke/smoke.json`, 401],
  ];
  const lines: string[] = [];
  for (const [url, expected] of asked) {
    const status = await statusOf(url);
    if (status !== expected) throw new DeployRefusal(`${url} answered ${status} and not ${expected}.`);
    lines.push(`${url}: ${status}`);
  }
  return lines;
}

async function statusOf(url: string): Promise<number> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_MS_MAX) });
    await response.body?.cancel();
    return response.status;
  } catch (error) {
    throw new DeployRefusal(`${url} does not answer: ${(error as Error).message}.`);
  }
}
