import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { freePorts } from "./free-ports.ts";
import { makePeerCa, makePeerCertificate, type PemPair } from "./peer-certificates.ts";
import { NodeProcess } from "./node-process.ts";

export const CORE_SERVICE_KEY = "a service key of the tests, 32 bytes or more";
/** Ids that a test may use. */
const NODES_MAX = 8;

/** Core nodes as processes of their own, with real disks and mutual TLS, that come and go. */
export interface CoreProcesses {
  /** Starts the nodes that found the cluster. */
  found: (ids: readonly number[]) => Promise<void>;
  /** Starts a node that asks to be let in by the others; resolves at once, since it is ready only when it is. */
  join: (id: number, others: readonly number[]) => Promise<NodeProcess>;
  node: (id: number) => NodeProcess;
  /** What peers dial. */
  raftAddress: (id: number) => string;
  url: (id: number) => string;
  client: (ids: readonly number[]) => CoreClient;
  /** Where a node keeps its data. */
  dataDirectory: (id: number) => string;
  /** Removes a node's disk. */
  wipe: (id: number) => void;
  close: () => Promise<void>;
}

export async function makeCoreProcesses(): Promise<CoreProcesses> {
  const ports = await freePorts(2 * NODES_MAX);
  const directory = mkdtempSync(join(tmpdir(), "conflux-cores-"));
  const ca = await makePeerCa("c1");
  writeFileSync(join(directory, "ca.pem"), ca.cert);
  const nodes = new Map<number, NodeProcess>();
  const url = (id: number): string => `http://127.0.0.1:${ports[id - 1]}`;
  const raftAddress = (id: number): string => `127.0.0.1:${ports[NODES_MAX + id - 1]}`;
  const place = (id: number): string => join(directory, `core-${id}`);

  const make = async (id: number, peers: readonly number[], joins: boolean): Promise<NodeProcess> => {
    keepPair(join(directory, `node-${id}`), await makePeerCertificate(ca, { clusterId: "c1", nodeId: id }));
    mkdirSync(place(id), { recursive: true });
    const node = new NodeProcess({
      command: [process.execPath, join(import.meta.dirname, "../../consensus/server/main.ts")],
      env: {
        CONFLUX_NODE_ID: String(id),
        CONFLUX_CORE_LISTEN_PORT: String(ports[id - 1]),
        CONFLUX_CORE_DATA_DIR: place(id),
        CONFLUX_CORE_SERVICE_KEY: CORE_SERVICE_KEY,
        CONFLUX_PEERS: peers.map((peer) => `${peer}=${raftAddress(peer)}@${url(peer)}`).join(","),
        CONFLUX_PEER_CA_FILE: join(directory, "ca.pem"),
        CONFLUX_PEER_CERT_FILE: join(directory, `node-${id}.pem`),
        CONFLUX_PEER_KEY_FILE: join(directory, `node-${id}-key.pem`),
        ...(joins ? { CONFLUX_JOIN: "1" } : {}),
      },
      isReady: (line) =>
        // False: it was removed.
        /"ready":(?:true|false)/.test(line) || (joins && line.includes('"waiting to be let into')),
    });
    nodes.set(id, node);
    return node;
  };
  return {
    found: async (ids) => {
      const made = await Promise.all(ids.map((id) => make(id, ids, false)));
      await Promise.all(made.map((node) => node.start()));
    },
    join: async (id, others) => {
      const node = await make(id, [...others, id], true);
      await node.start();
      return node;
    },
    node: (id) => nodes.get(id)!,
    raftAddress,
    url,
    dataDirectory: place,
    client: (ids) => new CoreClient({ urls: ids.map(url), serviceKey: CORE_SERVICE_KEY, role: "admin" }),
    wipe: (id) => rmSync(place(id), { recursive: true }),
    close: async () => {
      await Promise.all([...nodes.values()].map((node) => node.stop()));
      rmSync(directory, { recursive: true });
    },
  };
}

function keepPair(base: string, pair: PemPair): void {
  writeFileSync(`${base}.pem`, pair.cert);
  writeFileSync(`${base}-key.pem`, pair.key, { mode: 0o600 });
}
