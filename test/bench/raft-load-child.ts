/** The load generator, a process of its own: takes one LoadPlan by IPC, carries it out, answers LoadMessages. */
import { closedLoop, type LoadResult, type Send, sendEachOnce, serveOnePlan } from "./load-loops.ts";
import { GrpcConnection, STREAMS_PER_CHANNEL } from "./raft-grpc-client.ts";
import { HttpConnection } from "./raft-http-client.ts";
import type { LoadPlan } from "./raft-load-plan.ts";
import { grpcCalls, httpRequests } from "./raft-requests.ts";

const HTTP_OK = 200;

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

function carryOut(plan: LoadPlan): Promise<LoadResult> {
  const { send, requests } = plan.via === "etcd-grpc" ? grpcSender(plan) : httpSender(plan);
  if (plan.measureMs === 0) return sendEachOnce(plan.clients, requests, send);
  return closedLoop(plan.clients, plan, send);
}

serveOnePlan((plan) => carryOut(plan as LoadPlan));
