import { setTimeout as sleep } from "node:timers/promises";
import type { Stack } from "../testing/stack.ts";
import { type Figure, figure, quantile } from "./figures.ts";

const FULL = { runs: 3, revocations: 50 };
const QUICK = { runs: 1, revocations: 5 };
/** Between two fetches of a token's holder. */
const FETCH_EVERY_MS = 10;
/** An edge checks its head this often at least while it is asked; a revocation begins anywhere within such a period. */
const PHASE_MS = 1000;
/** For a token that is never refused. */
const REFUSED_WITHIN_MS_MAX = 60_000;

/**
 * How long after the 200 of its revocation a client token is still taken by an edge at which its holder fetches without a
 * pause and without a minimum index: nothing hurries the edge. A refusal that overtakes the 200 counts as 0.
 */
export async function benchRevocations(
  stack: Stack,
  config: string,
  { quick }: { quick: boolean },
): Promise<Figure[]> {
  const plan = quick ? QUICK : FULL;
  const runs: number[][] = [];
  for (let run = 0; run < plan.runs; run++) {
    const samples: number[] = [];
    for (let i = 0; i < plan.revocations; i++) samples.push(await measureRevocation(stack, config));
    runs.push(samples);
  }
  return [0.5, 0.99].map((q) =>
    figure(
      {
        bench: "propagation",
        case: "200 of a client token's revocation to the edge's 401, without a minimum index",
        system: "conflux",
        metric: `p${q * 100}_ms`,
        unit: "ms",
      },
      runs.map((samples) => quantile(samples, q)),
    ),
  );
}

async function measureRevocation(stack: Stack, config: string): Promise<number> {
  const made = await askAdmin(stack, "POST", "/auth/client-tokens", {
    name: "revoked soon",
    scopes: [`read:${config}`],
    ttl_seconds: 600,
  });
  const token = String(made["token"]);
  // The edge knows the token before it is revoked.
  if (await isRefused(stack, config, token)) throw new Error("a new token is refused");
  const refusedAtMs = fetchUntilRefused(stack, config, token);
  const revoke = async (): Promise<number> => {
    await sleep(Math.random() * PHASE_MS);
    await askAdmin(stack, "DELETE", `/auth/client-tokens/${String(made["id"])}`);
    return performance.now();
  };
  const [refused, acknowledged] = await Promise.all([refusedAtMs, revoke()]);
  return Math.max(0, refused - acknowledged);
}

/** When the first 401 came. */
async function fetchUntilRefused(stack: Stack, config: string, token: string): Promise<number> {
  const endsAtMs = performance.now() + REFUSED_WITHIN_MS_MAX;
  while (performance.now() < endsAtMs) {
    if (await isRefused(stack, config, token)) return performance.now();
    await sleep(FETCH_EVERY_MS);
  }
  throw new Error("a revoked token was never refused");
}

/** Whether a fetch is answered 401; throws for any other answer than that and 200. */
async function isRefused(stack: Stack, config: string, token: string): Promise<boolean> {
  const url = `${stack.dev.edge_url}/api/v1/fetch/config/${config}`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  const text = await response.text();
  if (response.status === 200 || response.status === 401) return response.status === 401;
  throw new Error(`fetch of ${config}: ${response.status} ${text}`);
}

/** A request of the stack's administrator; throws for what is refused. */
export async function askAdmin(
  stack: Stack,
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${stack.dev.admin_url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${stack.dev.admin_token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}
