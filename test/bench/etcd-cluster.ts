import { existsSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../testing/free-ports.ts";
import { NodeProcess } from "../testing/node-process.ts";
import { until } from "../testing/stack.ts";

const HOST = "127.0.0.1";
const NODES = [1, 2, 3];
/** Where Debian's etcd-server puts it. */
export const ETCD_PROGRAM = "/usr/bin/etcd";
/** etcd refuses writes past it; a run must not come near. */
const QUOTA_BYTES = 8 * 2 ** 30;

export interface EtcdNode {
  id: number;
  /** Clients' address: gRPC, and its JSON gateway below /v3/. */
  url: string;
  process: NodeProcess;
}

/** Three etcd nodes on this machine, with etcd's default heartbeat (100 ms) and election timeout (1 s). */
export interface EtcdCluster {
  nodes: EtcdNode[];
  /** Waits until every node that runs says that one of them leads, and answers it. */
  leader(): Promise<EtcdNode>;
  /** The term the leader is in. */
  term(): Promise<number>;
  stop(): Promise<void>;
}

/** Null when etcd is not installed. Data goes below `directory`, which must exist. */
export async function startEtcdCluster(directory: string): Promise<EtcdCluster | null> {
  if (!existsSync(ETCD_PROGRAM)) return null;
  const ports = await freePorts(2 * NODES.length);
  const urlOf = (id: number): string => `http://${HOST}:${ports[id - 1]}`;
  const peerUrlOf = (id: number): string => `http://${HOST}:${ports[NODES.length + id - 1]}`;
  const nodes = NODES.map((id): EtcdNode => {
    const flags = {
      name: `n${id}`,
      "data-dir": join(directory, `etcd-${id}`),
      "listen-client-urls": urlOf(id),
      "advertise-client-urls": urlOf(id),
      "listen-peer-urls": peerUrlOf(id),
      "initial-advertise-peer-urls": peerUrlOf(id),
      "initial-cluster": NODES.map((other) => `n${other}=${peerUrlOf(other)}`).join(","),
      "quota-backend-bytes": String(QUOTA_BYTES),
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    return { id, url: urlOf(id), process: new NodeProcess({ command: [ETCD_PROGRAM, ...args], env: {} }) };
  });
  const cluster: EtcdCluster = {
    nodes,
    leader: () => until(() => findLeader(nodes), "etcd has a leader"),
    term: async () => Number((await statusOf(await cluster.leader())).raftTerm),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.process.stop()));
    },
  };
  try {
    await Promise.all(nodes.map((node) => node.process.start()));
    await cluster.leader();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

interface EtcdStatus {
  header: { member_id: string };
  leader?: string;
  raftTerm: string;
}

async function statusOf(node: EtcdNode): Promise<EtcdStatus> {
  const response = await fetch(`${node.url}/v3/maintenance/status`, { method: "POST", body: "{}" });
  return (await response.json()) as EtcdStatus;
}

async function findLeader(nodes: readonly EtcdNode[]): Promise<EtcdNode | null> {
  const running = nodes.filter(({ process }) => process.running);
  const statuses = await Promise.all(running.map((node) => statusOf(node).catch(() => null)));
  const leaders = new Set(statuses.map((status) => status?.leader));
  const at = statuses.findIndex((status) => status !== null && status.header.member_id === status.leader);
  return leaders.size === 1 && at !== -1 ? (running[at] ?? null) : null;
}
