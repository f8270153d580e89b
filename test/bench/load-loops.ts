/** The two ways of a load generator: as fast as answers come (closed loop), or at a fixed rate whatever comes (open loop). */
import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "./figures.ts";

/** Sends request number `i` as client `client`, which has no other request under way. */
export type Send = (client: number, i: number, done: () => void, failed: (error: Error) => void) => void;

export interface LoadTimes {
  warmupMs: number;
  measureMs: number;
}

export interface LoadResult {
  operations: number;
  durationMs: number;
  p50Ms: number;
  p99Ms: number;
  /** User and system time of the load generator while it measured. */
  cpuUs: number;
}

/** What a load generator tells the process that started it. */
export type LoadMessage =
  | { type: "measuring" }
  | { type: "measured" }
  | { type: "result"; result: LoadResult }
  | { type: "failed"; reason: string };

const say = (message: LoadMessage): boolean => process.send?.(message) ?? false;

/** Takes one plan by IPC, carries it out, answers LoadMessages and ends the process. */
export function serveOnePlan(carryOut: (plan: unknown) => Promise<LoadResult>): void {
  process.once("message", (plan) => {
    carryOut(plan).then(
      (result) => {
        say({ type: "result", result });
        process.exit(0);
      },
      (error: unknown) => {
        say({ type: "failed", reason: String(error) });
        process.exit(1);
      },
    );
  });
  process.once("disconnect", () => process.exit(1));
}

/** Each client sends its next request when the last one was answered. Rejects at the first failure. */
export async function closedLoop(clients: number, times: LoadTimes, send: Send): Promise<LoadResult> {
  const clock = startClock(times);
  const { measured } = clock;
  await Promise.all([measured, drive(clients, send, clock.seen, () => !clock.isOver())]);
  return clock.summary();
}

/** Sends each of `requests` requests once, as fast as it goes. */
export async function sendEachOnce(clients: number, requests: number, send: Send): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  await drive(
    clients,
    send,
    (latencyMs) => latenciesMs.push(latencyMs),
    (sent) => sent < requests,
  );
  return summarize(latenciesMs, performance.now() - startMs, 0);
}

/**
 * Sends `ratePerS` requests a second, evenly, each as the client that has been idle longest. Latency counts from the
 * moment a request was due, so a server that stalls is charged for all that came due meanwhile.
 */
export async function openLoop(
  clients: number,
  ratePerS: number,
  times: LoadTimes,
  send: Send,
): Promise<LoadResult> {
  const clock = startClock(times);
  const idle = Array.from({ length: clients }, (_, i) => i);
  const dueMs: number[] = [];
  const startMs = performance.now();
  let due = 0;
  let sent = 0;
  await new Promise<void>((resolve, reject) => {
    const sendDue = (): void => {
      while (dueMs.length > 0 && idle.length > 0) {
        const client = idle.shift()!;
        const wasDueMs = dueMs.shift()!;
        const done = (): void => {
          clock.seen(performance.now() - wasDueMs);
          idle.push(client);
          sendDue();
        };
        send(client, sent++, done, reject);
      }
    };
    const tick = (): void => {
      if (clock.isOver()) {
        resolve();
        return;
      }
      const untilMs = performance.now();
      for (; startMs + (due * 1000) / ratePerS <= untilMs; due += 1)
        dueMs.push(startMs + (due * 1000) / ratePerS);
      sendDue();
      setTimeout(tick, Math.max(0, startMs + (due * 1000) / ratePerS - performance.now()));
    };
    tick();
  });
  await clock.measured;
  return clock.summary();
}

/** Tells the parent when measuring begins and ends; keeps what was seen in between. */
function startClock({ warmupMs, measureMs }: LoadTimes) {
  const latenciesMs: number[] = [];
  let phase: "warmup" | "measuring" | "over" = "warmup";
  const run = async (): Promise<{ durationMs: number; cpuUs: number }> => {
    await sleep(warmupMs);
    say({ type: "measuring" });
    const start = { cpuUs: cpuNow(), ms: performance.now() };
    phase = "measuring";
    await sleep(measureMs);
    phase = "over";
    say({ type: "measured" });
    return { durationMs: performance.now() - start.ms, cpuUs: cpuNow() - start.cpuUs };
  };
  const measured = run();
  return {
    measured,
    isOver: () => phase === "over",
    seen: (latencyMs: number): void => {
      if (phase === "measuring") latenciesMs.push(latencyMs);
    },
    summary: async (): Promise<LoadResult> => {
      const { durationMs, cpuUs } = await measured;
      return summarize(latenciesMs, durationMs, cpuUs);
    },
  };
}

async function drive(
  clients: number,
  send: Send,
  seen: (latencyMs: number) => void,
  more: (sent: number) => boolean,
): Promise<void> {
  let sent = 0;
  const client = (id: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const next = (): void => {
        if (!more(sent)) {
          resolve();
          return;
        }
        const startMs = performance.now();
        send(
          id,
          sent++,
          () => {
            seen(performance.now() - startMs);
            next();
          },
          reject,
        );
      };
      next();
    });
  await Promise.all(Array.from({ length: clients }, (_, id) => client(id)));
}

function cpuNow(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function summarize(latenciesMs: readonly number[], durationMs: number, cpuUs: number): LoadResult {
  return {
    operations: latenciesMs.length,
    durationMs,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    cpuUs,
  };
}
