import { postgresPids } from "../testing/postgres-processes.ts";
import { startStack } from "../testing/stack.ts";
import { admin, fetchConfig } from "../testing/stack-client.ts";
import { type Figure, figure } from "./figures.ts";

const RUNS = 3;
const ROUNDS_PER_RUN = 10;
const NAME = "demo/shop/prod/app.json";
/** One of each kind: the log's, Postgres's own, a sign-in. All of a round are sent at once. */
const WRITES: readonly [method: string, path: string, body: unknown][] = [
  [
    "POST",
    "/mgt/configs",
    { tenant: "demo", app: "shop", env: "prod", name: "away.json", format: "json", content: "{}" },
  ],
  ["POST", "/roles", { tenant: "demo", name: "away" }],
  ["POST", "/auth/client-tokens", { name: "away", scopes: ["read:demo/**"], ttl_seconds: 60 }],
  ["POST", "/auth/login", { username: "admin", password: "wrong" }],
];

/**
 * How long an admin write takes to be answered 503 while Postgres stands still (SIGSTOP, its connections too), and a fetch
 * at the edge to be answered 200: the slowest of each run. The promise is 2 s for the writes.
 */
export async function benchPostgresAway({ quick }: { quick: boolean }): Promise<Figure[]> {
  const stack = await startStack();
  const pids = postgresPids(stack);
  try {
    await fetchConfig(stack, NAME);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    const runs: { write: number; fetch: number }[] = [];
    for (let run = 0; run < (quick ? 1 : RUNS); run++) {
      const slowest = { write: 0, fetch: 0 };
      for (let round = 0; round < (quick ? 1 : ROUNDS_PER_RUN); round++) {
        const writes = WRITES.map(([method, path, body]) =>
          timed(503, () => admin(stack, method, path, body)),
        );
        slowest.fetch = Math.max(slowest.fetch, await timed(200, () => fetchConfig(stack, NAME)));
        slowest.write = Math.max(slowest.write, ...(await Promise.all(writes)));
      }
      runs.push(slowest);
    }
    const row = (name: string, values: number[]): Figure =>
      figure(
        { bench: "postgres-away", case: name, system: "conflux", metric: "slowest_ms", unit: "ms" },
        values,
      );
    return [
      row(
        "an admin write until its 503",
        runs.map((run) => run.write),
      ),
      row(
        "a fetch until its 200",
        runs.map((run) => run.fetch),
      ),
    ];
  } finally {
    for (const pid of pids) process.kill(pid, "SIGCONT");
    await stack.stop();
  }
}

/** Milliseconds that `send` took; throws when it is not answered with `status`. */
async function timed(status: number, send: () => Promise<{ status: number }>): Promise<number> {
  const startedMs = performance.now();
  const answer = await send();
  if (answer.status !== status) throw new Error(`answered ${answer.status}, not ${status}`);
  return performance.now() - startedMs;
}
