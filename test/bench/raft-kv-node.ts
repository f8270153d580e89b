/**
 * One node of the key-value store that is compared with etcd: `node test/bench/raft-kv-node.ts`, set up by the variables
 * of a core node. Log, write-ahead log, transport, HTTP server and token check are those of the product; only the state
 * machine is the plain one of raft-kv-machine.ts.
 *
 *   POST /v1/kv/{key}              body: the value  -> {"index"}
 *   GET  /v1/kv/{key}?consistency                   -> the value
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ReplicatedLog } from "../../consensus/replicated-log.ts";
import type { Logger } from "../../consensus/server/core-context.ts";
import type { Route } from "../../consensus/server/http-router.ts";
import { HttpServer } from "../../consensus/server/http-server.ts";
import { CoreMetrics } from "../../consensus/server/metrics.ts";
import { openClusterLog } from "../../consensus/server/open-cluster-log.ts";
import { consistencyOf } from "../../consensus/server/query.ts";
import { readEnvironment } from "../../consensus/server/read-environment.ts";
import { ServiceAuth } from "../../consensus/server/service-auth.ts";
import { encodePut, KvMachine, type PutOutcome } from "./raft-kv-machine.ts";

const VALUE_BYTES_MAX = 1024 * 1024;

const logger: Logger = (line) => {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`);
};

function kvRoutes(log: ReplicatedLog<PutOutcome>, machine: KvMachine, { registry }: CoreMetrics): Route[] {
  return [
    {
      method: "GET",
      path: "/metrics",
      roles: null,
      handle: async () => ({
        bytes: Buffer.from(await registry.metrics()),
        contentType: registry.contentType,
      }),
    },
    {
      method: "POST",
      path: "/v1/kv/:key",
      roles: ["admin"],
      handle: async ({ params: [key = ""], body }) => {
        const { result } = await log.propose(encodePut(key, await body(VALUE_BYTES_MAX)));
        return { json: result };
      },
    },
    {
      method: "GET",
      path: "/v1/kv/:key",
      roles: ["admin"],
      handle: async ({ params: [key = ""], query }) => {
        await log.readBarrier(consistencyOf(query));
        const bytes = machine.get(key);
        if (bytes === undefined) throw new ConfluxError("not_found", `no key ${key}`);
        return { bytes, contentType: "application/octet-stream" };
      },
    },
  ];
}

const env = readEnvironment(process.env);
mkdirSync(env.dataDirectory, { recursive: true });
const machine = new KvMachine(join(env.dataDirectory, "state.db"));
const log = await openClusterLog({
  env,
  stateMachine: machine,
  logger,
  onFatal: (error) => {
    logger({ level: "error", msg: error.stack ?? error.message });
    process.exit(1);
  },
});
const metrics = new CoreMetrics(() => log.status());
const auth = new ServiceAuth(env.serviceKey);
const server = new HttpServer({
  routes: kvRoutes(log, machine, metrics),
  roleOf: (authorization) => auth.roleOf(authorization),
  nodeId: () => env.nodeId,
  leaderId: () => log.status().leaderId,
  urlOf: (nodeId) => env.peers?.members.find((member) => member.nodeId === nodeId)?.url ?? "",
  proveLeader: (nodeId, leaderUrl) => auth.proveLeader(String(nodeId), leaderUrl),
  requests: metrics.requests,
  onClosing: () => undefined,
  logger,
});
const url = await server.listen(env.host, env.port);
await log.start();
logger({ level: "info", msg: "ready", ready: true, url });
process.on("SIGTERM", () => {
  void server
    .close()
    .then(() => log.stop())
    .then(() => process.exit(0));
});
process.on("disconnect", () => process.exit(1));
