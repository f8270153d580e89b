/** The load generator, a process of its own: takes one LoadPlan by IPC, carries it out, answers LoadMessages. */
import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "./figures.ts";
import { GrpcConnection, STREAMS_PER_CHANNEL } from "./raft-grpc-client.ts";
import { HttpConnection } from "./raft-http-client.ts";
import type { LoadMessage, LoadPlan, LoadResult } from "./raft-load-plan.ts";
import { grpcCalls, httpRequests } from "./raft-requests.ts";

const HTTP_OK = 200;

/** Sends request number `i` of the plan as client `client`. */
type Send = (client: number, i: number, done: () => void, failed: (error: Error) => void) => void;

const say = (message: LoadMessage): boolean => process.send?.(message) ?? false;

function httpSender(plan: LoadPlan): { send: Send; requests: number } {
  const requests = httpRequests(plan);
  const connections = Array.from(
    { length: plan.clients },
    (_, i) => new HttpConnection(plan.targets[i % plan.targets.length]!),
  );
  return {
    requests: requests.length,
    send: (client, i, done, failed) => {
      const answered = (status: number): void => {
        if (status === HTTP_OK) done();
        else failed(new Error(`the server answered ${status}`));
      };
      connections[client]!.send(requests[i % requests.length]!, answered, failed);
    },
  };
}

function grpcSender(plan: LoadPlan): { send: Send; requests: number } {
  const calls = grpcCalls(plan);
  const channels = Array.from(
    { length: Math.max(plan.targets.length, Math.ceil(plan.clients / STREAMS_PER_CHANNEL)) },
    (_, i) => new GrpcConnection(plan.targets[i % plan.targets.length]!),
  );
  return {
    requests: calls.length,
    send: (client, i, done, failed) => {
      const answered = (ok: boolean): void => {
        if (ok) done();
        else failed(new Error("the server answered no value"));
      };
      channels[client % channels.length]!.send(calls[i % calls.length]!, answered, failed);
    },
  };
}

/** Closed loop: runs until `until` says so, and calls `seen` with each latency. Rejects at the first failure. */
async function drive(
  { clients }: LoadPlan,
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

/** Sends each request once, as fast as it goes: how keys and configs come to be there. */
async function fill(plan: LoadPlan, send: Send, requests: number): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  await drive(
    plan,
    send,
    (latencyMs) => latenciesMs.push(latencyMs),
    (sent) => sent < requests,
  );
  return summary(latenciesMs, performance.now() - startMs, 0);
}

async function measure(plan: LoadPlan, send: Send): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  let phase: "warmup" | "measuring" | "over" = "warmup";
  const timeline = async (): Promise<{ durationMs: number; cpuUs: number }> => {
    await sleep(plan.warmupMs);
    say({ type: "measuring" });
    const start = { cpuUs: cpuNow(), ms: performance.now() };
    phase = "measuring";
    await sleep(plan.measureMs);
    phase = "over";
    say({ type: "measured" });
    return { durationMs: performance.now() - start.ms, cpuUs: cpuNow() - start.cpuUs };
  };
  const seen = (latencyMs: number): void => {
    if (phase === "measuring") latenciesMs.push(latencyMs);
  };
  const [{ durationMs, cpuUs }] = await Promise.all([
    timeline(),
    drive(plan, send, seen, () => phase !== "over"),
  ]);
  return summary(latenciesMs, durationMs, cpuUs);
}

function cpuNow(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function summary(latenciesMs: readonly number[], durationMs: number, cpuUs: number): LoadResult {
  return {
    operations: latenciesMs.length,
    durationMs,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    cpuUs,
  };
}

async function carryOut(plan: LoadPlan): Promise<LoadResult> {
  const { send, requests } = plan.via === "etcd-grpc" ? grpcSender(plan) : httpSender(plan);
  return plan.measureMs === 0 ? fill(plan, send, requests) : measure(plan, send);
}

process.once("message", (plan: LoadPlan) => {
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
