import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { CORE_NODE_FLAGS } from "../../contracts/core/node-flags.ts";
import { preparePeerCertificates } from "../../dev/peer-certificates.ts";
import { freePorts } from "../testing/free-ports.ts";
import { until } from "../testing/stack.ts";
import { type EtcdNode, startEtcdCluster } from "./etcd-cluster.ts";
import type { HttpTarget } from "./raft-http-client.ts";

const HOST = "127.0.0.1";
const NODES = [1, 2, 3];

/** Three running nodes, each a process. */
export interface BenchCluster {
  targets: HttpTarget[];
  pids: number[];
  /** Which node leads now. */
  leader(): Promise<HttpTarget>;
  /** SIGTERM, then SIGKILL for those who do not go. */
  stop(): Promise<void>;
}

async function endAll(children: readonly ChildProcess[]): Promise<void> {
  const end = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 5_000);
    await exited;
    clearTimeout(timer);
  };
  await Promise.all(children.map(end));
}

export interface ConfluxClusterOptions {
  /** What a node runs: the core, or the key-value node. */
  program: string;
  directory: string;
  serviceKey: string;
  /** For profiles and trials: more arguments of Node. */
  execArgv?: readonly string[];
}

/** Three nodes of ours: the environment is what `npm start` gives its core nodes. */
export async function startConfluxCluster(options: ConfluxClusterOptions): Promise<BenchCluster> {
  const { program, directory, serviceKey, execArgv = [] } = options;
  mkdirSync(directory, { recursive: true });
  const ports = await freePorts(2 * NODES.length);
  const files = await preparePeerCertificates({
    directory: join(directory, "peers"),
    clusterId: "c1",
    nodeIds: NODES,
  });
  const httpPort = (id: number): number => ports[id - 1]!;
  const peers = NODES.map(
    (id) => `${id}=${HOST}:${ports[NODES.length + id - 1]}@http://${HOST}:${httpPort(id)}`,
  ).join(",");
  const children = NODES.map((id) =>
    spawn(process.execPath, [...CORE_NODE_FLAGS, ...execArgv, program], {
      stdio: ["ignore", "pipe", "inherit", "ipc"],
      env: {
        PATH: process.env["PATH"],
        CONFLUX_NODE_ID: String(id),
        CONFLUX_CORE_LISTEN_HOST: HOST,
        CONFLUX_CORE_LISTEN_PORT: String(httpPort(id)),
        CONFLUX_CORE_DATA_DIR: join(directory, `node-${id}`),
        CONFLUX_CORE_SERVICE_KEY: serviceKey,
        CONFLUX_PEERS: peers,
        CONFLUX_PEER_CA_FILE: files.get(id)!.ca,
        CONFLUX_PEER_CERT_FILE: files.get(id)!.cert,
        CONFLUX_PEER_KEY_FILE: files.get(id)!.key,
      },
    }),
  );
  try {
    await Promise.all(children.map((child, i) => untilReady(child, NODES[i]!)));
  } catch (error) {
    await endAll(children);
    throw error;
  }
  const targets = NODES.map((id) => ({ host: HOST, port: httpPort(id) }));
  return {
    targets,
    pids: children.map((child) => child.pid!),
    leader: () => until(() => findConfluxLeader(targets).catch(() => null), "Conflux has a leader"),
    stop: () => endAll(children),
  };
}

async function untilReady(child: ChildProcess, nodeId: number): Promise<void> {
  const lines = createInterface({ input: child.stdout! });
  const ready = Promise.withResolvers<void>();
  // Goes on reading, so that a full pipe never stops the node.
  lines.on("line", (line) => {
    if (line.includes('"ready":true')) ready.resolve();
  });
  child.once("exit", (code) => ready.reject(new Error(`node ${nodeId} ended with code ${code}`)));
  await ready.promise;
}

/** The leader says so in its metrics, which need no token. */
async function findConfluxLeader(targets: readonly HttpTarget[]): Promise<HttpTarget | null> {
  for (const target of targets) {
    const response = await fetch(`http://${target.host}:${target.port}/metrics`);
    if (/^raft_is_leader 1$/m.test(await response.text())) return target;
  }
  return null;
}

/** Null when etcd is not installed. */
export async function startEtcdForBench(directory: string): Promise<BenchCluster | null> {
  mkdirSync(directory, { recursive: true });
  const etcd = await startEtcdCluster(directory);
  if (etcd === null) return null;
  return {
    targets: etcd.nodes.map(targetOf),
    pids: etcd.nodes.map(({ process: node }) => node.pid),
    leader: async () => targetOf(await etcd.leader()),
    stop: () => etcd.stop(),
  };
}

function targetOf({ url }: EtcdNode): HttpTarget {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
