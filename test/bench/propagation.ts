import { type Stack, startStack } from "../testing/stack.ts";
import { type Figure, figure, quantile } from "./figures.ts";
import { askAdmin, benchRevocations } from "./revocations.ts";

const FULL = { runs: 3, changes: 200 };
const WARMUP_CHANGES = 20;
const CONFIG = "demo/shop/prod/propagation.json";

interface Change {
  index: string;
  acknowledgedAtMs: number;
}

/**
 * How long after its 200 a release change is seen: as the change event on an open WebSocket, and as the new bytes at the
 * edge when the fetch names the change's index. Each change is complete before the next begins. An event that overtakes
 * the 200 counts as 0. Then how long a revoked token is still taken (revocations.ts).
 */
export async function benchPropagation({ quick }: { quick: boolean }): Promise<Figure[]> {
  const stack = await startStack();
  try {
    const configId = await createConfig(stack);
    const changes = await benchChanges(stack, configId, quick ? { runs: 1, changes: 20 } : FULL);
    const revocations = await benchRevocations(stack, CONFIG, { quick });
    return [...changes, ...revocations];
  } finally {
    await stack.stop();
  }
}

async function benchChanges(
  stack: Stack,
  configId: string,
  plan: { runs: number; changes: number },
): Promise<Figure[]> {
  const events = await watch(stack);
  try {
    for (let i = 0; i < WARMUP_CHANGES; i++) await measureChange(stack, configId, i, events);
    const runs: { event: number[]; fetch: number[] }[] = [];
    for (let run = 0; run < plan.runs; run++) {
      const samples = { event: [] as number[], fetch: [] as number[] };
      for (let i = 0; i < plan.changes; i++) {
        const { eventMs, fetchMs } = await measureChange(stack, configId, i, events);
        samples.event.push(eventMs);
        samples.fetch.push(fetchMs);
      }
      runs.push(samples);
    }
    const metric = (name: "event" | "fetch", q: number): Figure =>
      figure(
        {
          bench: "propagation",
          case:
            name === "event"
              ? "200 of a release change to the change event"
              : "200 of a release change to new bytes at the edge",
          system: "conflux",
          metric: `p${q * 100}_ms`,
          unit: "ms",
        },
        runs.map((samples) => quantile(samples[name], q)),
      );
    return [metric("event", 0.5), metric("event", 0.99), metric("fetch", 0.5), metric("fetch", 0.99)];
  } finally {
    events.close();
  }
}

async function createConfig(stack: Stack): Promise<string> {
  const [tenant, app, env, name] = CONFIG.split("/");
  const created = await askAdmin(stack, "POST", "/mgt/configs", {
    tenant,
    app,
    env,
    name,
    format: "json",
    content: '{"side":1}',
    description: "odd",
    release: true,
  });
  const id = String(created["id"]);
  await askAdmin(stack, "POST", `/mgt/configs/${id}/versions`, {
    content: '{"side":2}',
    description: "even",
  });
  return id;
}

/** An open WebSocket whose change events are timed on arrival. */
async function watch(stack: Stack) {
  const arrivals = new Map<string, number>();
  const waiting = new Map<string, (atMs: number) => void>();
  const url = `${stack.dev.edge_url.replace("http", "ws")}/api/v1/watch?config=${CONFIG}`;
  const socket = new WebSocket(url, [`conflux.bearer.${stack.dev.client_token}`]);
  const hello = Promise.withResolvers<void>();
  socket.addEventListener("error", () => hello.reject(new Error("the watch socket failed")));
  socket.addEventListener("message", ({ data }) => {
    const atMs = performance.now();
    const message = JSON.parse(String(data)) as { type: string; index: string };
    if (message.type === "hello") hello.resolve();
    if (message.type !== "change") return;
    arrivals.set(message.index, atMs);
    waiting.get(message.index)?.(atMs);
  });
  await hello.promise;
  return {
    arrivalOf: (index: string): Promise<number> => {
      const atMs = arrivals.get(index);
      return atMs === undefined
        ? new Promise((resolve) => waiting.set(index, resolve))
        : Promise.resolve(atMs);
    },
    close: () => socket.close(),
  };
}

async function measureChange(
  stack: Stack,
  configId: string,
  i: number,
  events: { arrivalOf: (index: string) => Promise<number> },
): Promise<{ eventMs: number; fetchMs: number }> {
  const side = i % 2 === 0 ? 2 : 1;
  const answer = await askAdmin(stack, "PUT", `/mgt/configs/${configId}/releases`, [
    { labels: {}, version_id: side, priority: 0 },
  ]);
  const change: Change = { index: String(answer["index"]), acknowledgedAtMs: performance.now() };
  const [fetchedAtMs, eventAtMs] = await Promise.all([
    fetchSide(stack, change.index, side),
    events.arrivalOf(change.index),
  ]);
  return {
    eventMs: Math.max(0, eventAtMs - change.acknowledgedAtMs),
    fetchMs: fetchedAtMs - change.acknowledgedAtMs,
  };
}

/** Fetches with the change's minimum index; throws when the bytes are not the new ones. */
async function fetchSide(stack: Stack, index: string, side: number): Promise<number> {
  const response = await fetch(`${stack.dev.edge_url}/api/v1/fetch/config/${CONFIG}`, {
    headers: { authorization: `Bearer ${stack.dev.client_token}`, "x-conflux-min-index": index },
  });
  const text = await response.text();
  if (text !== `{"side":${side}}`) throw new Error(`expected side ${side}, got ${response.status} ${text}`);
  return performance.now();
}
