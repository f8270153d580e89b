import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { preparePeerCertificates } from "../../dev/peer-certificates.ts";
import { StateStore } from "../../consensus/state/state-store.ts";
import { freePorts } from "./free-ports.ts";
import { NodeProcess } from "./node-process.ts";
import { until } from "./stack.ts";

const CLUSTER_ID = "c1";
const MAIN = join(import.meta.dirname, "../../consensus/server/main.ts");
const HOST = "127.0.0.1";
/** The term and leadership of a node, which its metrics tell without a token. */
const GAUGE = /^(raft_is_leader|raft_current_term|raft_last_applied_log_index) (\d+)$/gm;

export interface CoreClusterNode {
  id: number;
  url: string;
  dataDirectory: string;
  process: NodeProcess;
}

/** How a node sees itself. */
export interface NodeGauges {
  isLeader: boolean;
  term: number;
  applied: number;
}

export interface CoreClusterOptions {
  /** Data and certificates go below it; it must exist. */
  directory: string;
  serviceKey: string;
  nodeIds?: readonly number[];
  /** Where a node runs: what goes before its command, its address and ports. Absent: loopback and free ports. */
  place?: (nodeId: number) => { prefix: readonly string[]; host: string; httpPort: number; peerPort: number };
  /** A data directory elsewhere, for one node or the other. */
  dataDirectoryOf?: (nodeId: number) => string | undefined;
  /** For every node, besides what it needs to be one. */
  env?: Readonly<Record<string, string>>;
  /** Absent: node:fetch from this process, which does for loopback. */
  readMetrics?: (url: string) => Promise<string>;
}

/** Core nodes as processes, with certificates and default timeouts, and no more of the system than that. */
export class CoreCluster {
  readonly nodes: readonly CoreClusterNode[];
  readonly #readMetrics: (url: string) => Promise<string>;

  private constructor(nodes: CoreClusterNode[], options: CoreClusterOptions) {
    this.nodes = nodes;
    this.#readMetrics = options.readMetrics ?? fetchMetrics;
  }

  static async start(options: CoreClusterOptions): Promise<CoreCluster> {
    const nodeIds = options.nodeIds ?? [1, 2, 3];
    const ports = await freePorts(2 * nodeIds.length);
    const places = new Map(
      nodeIds.map((id, i) => {
        const own = { prefix: [], host: HOST, httpPort: ports[2 * i] ?? 0, peerPort: ports[2 * i + 1] ?? 0 };
        return [id, options.place?.(id) ?? own];
      }),
    );
    const directory = join(options.directory, "peers");
    const files = await preparePeerCertificates({ directory, clusterId: CLUSTER_ID, nodeIds });
    const peers = [...places]
      .map(([id, { host, httpPort, peerPort }]) => `${id}=${host}:${peerPort}@http://${host}:${httpPort}`)
      .join(",");
    const nodes = [...places].map(([id, { prefix, host, httpPort }]): CoreClusterNode => {
      const dataDirectory = options.dataDirectoryOf?.(id) ?? join(options.directory, `core-${id}`);
      mkdirSync(dataDirectory, { recursive: true });
      const [program, ...args] = [...prefix, process.execPath, MAIN];
      const env = {
        CONFLUX_NODE_ID: String(id),
        CONFLUX_CLUSTER_ID: CLUSTER_ID,
        CONFLUX_CORE_LISTEN_HOST: host,
        CONFLUX_CORE_LISTEN_PORT: String(httpPort),
        CONFLUX_CORE_DATA_DIR: dataDirectory,
        CONFLUX_CORE_SERVICE_KEY: options.serviceKey,
        CONFLUX_PEERS: peers,
        CONFLUX_PEER_CA_FILE: files.get(id)?.ca ?? "",
        CONFLUX_PEER_CERT_FILE: files.get(id)?.cert ?? "",
        CONFLUX_PEER_KEY_FILE: files.get(id)?.key ?? "",
        ...options.env,
      };
      const isReady = (line: string): boolean => line.includes('"ready":true');
      const url = `http://${host}:${httpPort}`;
      const command: [string, ...string[]] = [program ?? process.execPath, ...args];
      return { id, url, dataDirectory, process: new NodeProcess({ command, env, isReady }) };
    });
    const cluster = new CoreCluster(nodes, options);
    try {
      await Promise.all(nodes.map((node) => node.process.start()));
      await cluster.whole();
      return cluster;
    } catch (error) {
      await cluster.kill();
      throw error;
    }
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  node(id: number): CoreClusterNode {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`there is no node ${id}`);
    return found;
  }

  /** Null while the node does not answer. */
  async gauges(node: CoreClusterNode): Promise<NodeGauges | null> {
    if (!node.process.running) return null;
    const text = await this.#readMetrics(`${node.url}/metrics`).catch(() => null);
    if (text === null) return null;
    const values = new Map([...text.matchAll(GAUGE)].map(([, name, value]) => [name, Number(value)]));
    return {
      isLeader: values.get("raft_is_leader") === 1,
      term: values.get("raft_current_term") ?? 0,
      applied: values.get("raft_last_applied_log_index") ?? 0,
    };
  }

  /** Waits for one node that leads in the latest term any of those that answer knows. */
  leader(): Promise<CoreClusterNode> {
    return until(async () => (await this.#look()).leader, "the cluster has a leader");
  }

  /** Waits until every node runs, all are in one term and have applied the same; answers the leader. */
  whole(): Promise<CoreClusterNode> {
    return until(
      async () => {
        const { leader, gauges } = await this.#look();
        const isSame = new Set(gauges.map((g) => `${g?.term} ${g?.applied}`)).size === 1;
        return isSame && gauges.every((g) => g !== null) ? leader : null;
      },
      "all nodes are equally far",
      60_000,
    );
  }

  /** The latest term a node is in. */
  async term(): Promise<number> {
    return Math.max(...(await this.#look()).gauges.map((g) => g?.term ?? 0));
  }

  /**
   * Ends all nodes at one moment, when they are equally far and have written it into their files, and answers the hash of each one's state. Nothing may be
   * writing any more.
   */
  async stateHashes(): Promise<{ applied: number; hash: string }[]> {
    await this.whole();
    await until(async () => {
      const { gauges } = await this.#look();
      return this.nodes.every((node, i) => gauges[i]?.applied === writtenIndex(statePathOf(node))) || null;
    }, "all nodes have written what they applied");
    await this.kill();
    return this.nodes.map((node) => {
      const path = statePathOf(node);
      const store = new StateStore({ path, clusterId: CLUSTER_ID, journal: "wal" });
      try {
        return { applied: store.lastApplied(), hash: store.stateHash() };
      } finally {
        store.close();
      }
    });
  }

  async kill(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.process.kill()));
  }

  async #look(): Promise<{ leader: CoreClusterNode | null; gauges: (NodeGauges | null)[] }> {
    const gauges = await Promise.all(this.nodes.map((node) => this.gauges(node)));
    const term = Math.max(...gauges.map((g) => g?.term ?? 0));
    const at = gauges.findIndex((g) => g !== null && g.isLeader && g.term === term);
    return { leader: this.nodes[at] ?? null, gauges };
  }
}

const statePathOf = ({ dataDirectory }: CoreClusterNode): string => join(dataDirectory, "state.db");

/** How far the state is in its file: what the node would find when it is killed now. */
function writtenIndex(path: string): number {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return Number(db.prepare("SELECT value FROM meta WHERE key = 'last_applied'").get()?.["value"]);
  } finally {
    db.close();
  }
}

const METRICS_MS = 1_000;

/** The metrics page of a node, or an error soon. */
export async function fetchMetrics(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(METRICS_MS) });
  return response.text();
}
