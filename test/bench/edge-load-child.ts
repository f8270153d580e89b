/** The load generator of `npm run bench -- edge`, a process of its own. */
import type { EdgeLoadPlan } from "./edge-load-plan.ts";
import {
  closedLoop,
  type LoadResult,
  openLoop,
  type Send,
  sendEachOnce,
  serveOnePlan,
} from "./load-loops.ts";
import { encodeRequest, HttpConnection } from "./raft-http-client.ts";

function carryOut(plan: EdgeLoadPlan): Promise<LoadResult> {
  const { paths, clients } = plan;
  const requests = Array.from({ length: Math.max(paths.length, clients) }, (_, i) =>
    encodeRequest("GET", paths[i % paths.length]!, {
      ...plan.headers,
      "cf-connecting-ip": address(i % clients),
    }),
  );
  const target = { host: "127.0.0.1", port: plan.port };
  const connections = Array.from({ length: plan.connections }, () => new HttpConnection(target));
  const send: Send = (client, i, done, failed) => {
    const answered = (status: number): void => {
      if (status === plan.status) done();
      else failed(new Error(`the server answered ${status}, not ${plan.status}`));
    };
    connections[client]!.send(requests[i % requests.length]!, answered, failed);
  };
  if (plan.measureMs === 0) return sendEachOnce(plan.connections, requests.length, send);
  if (plan.ratePerS === null) return closedLoop(plan.connections, plan, send);
  return openLoop(plan.connections, plan.ratePerS, plan, send);
}

const address = (client: number): string => `10.1.${client >> 8}.${client & 255}`;

serveOnePlan((plan) => carryOut(plan as EdgeLoadPlan));
