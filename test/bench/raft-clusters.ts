import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { preparePeerCertificates } from "../../dev/peer-certificates.ts";
import type { HttpTarget } from "./raft-http-client.ts";

const HOST = "127.0.0.1";
const NODES = [1, 2, 3];
const ETCD = "/usr/bin/etcd";
const READY_MS = 30_000;
const POLL_MS = 50;
/** etcd refuses writes past it; a run must not come near. */
const ETCD_QUOTA_BYTES = 8 * 2 ** 30;

/** Three running nodes, each a process. */
export interface BenchCluster {
  targets: HttpTarget[];
  pids: number[];
  /** Which node leads now. */
  leader(): Promise<HttpTarget>;
  /** SIGTERM, then SIGKILL for those who do not go. */
  stop(): Promise<void>;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, HOST));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
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

async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const deadlineMs = performance.now() + READY_MS;
  for (;;) {
    const found = await look().catch(() => null);
    if (found !== null) return found;
    if (performance.now() > deadlineMs) throw new Error(`${what} was not ready within ${READY_MS} ms`);
    await sleep(POLL_MS);
  }
}

export interface ConfluxClusterOptions {
  /** What a node runs: the core, or the key-value node. */
  program: string;
  directory: string;
  serviceKey: string;
  /** For profiles: more arguments of Node. */
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
    spawn(process.execPath, [...execArgv, program], {
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
    leader: () => until("a leader of Conflux", () => findConfluxLeader(targets)),
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
export async function startEtcdCluster(directory: string): Promise<BenchCluster | null> {
  if (!existsSync(ETCD)) return null;
  mkdirSync(directory, { recursive: true });
  const ports = await freePorts(2 * NODES.length);
  const clientUrl = (id: number): string => `http://${HOST}:${ports[id - 1]}`;
  const peerUrl = (id: number): string => `http://${HOST}:${ports[NODES.length + id - 1]}`;
  const children = NODES.map((id) => {
    const flags = {
      name: `n${id}`,
      "data-dir": join(directory, `node-${id}`),
      "listen-client-urls": clientUrl(id),
      "advertise-client-urls": clientUrl(id),
      "listen-peer-urls": peerUrl(id),
      "initial-advertise-peer-urls": peerUrl(id),
      "initial-cluster": NODES.map((other) => `n${other}=${peerUrl(other)}`).join(","),
      "quota-backend-bytes": String(ETCD_QUOTA_BYTES),
    };
    return spawn(
      ETCD,
      Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
      { stdio: "ignore" },
    );
  });
  const targets = NODES.map((id) => ({ host: HOST, port: ports[id - 1]! }));
  const cluster: BenchCluster = {
    targets,
    pids: children.map((child) => child.pid!),
    leader: () => until("a leader of etcd", () => findEtcdLeader(targets)),
    stop: () => endAll(children),
  };
  try {
    await cluster.leader();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

async function findEtcdLeader(targets: readonly HttpTarget[]): Promise<HttpTarget | null> {
  for (const target of targets) {
    const response = await fetch(`http://${target.host}:${target.port}/v3/maintenance/status`, {
      method: "POST",
      body: "{}",
    });
    const { header, leader } = (await response.json()) as { header: { member_id: string }; leader?: string };
    if (header.member_id === leader) return target;
  }
  return null;
}
