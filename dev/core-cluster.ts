import { existsSync } from "node:fs";
import type { DataPaths } from "./data-directory.ts";
import { readMemo, remember } from "./memo.ts";
import { type PeerFiles, preparePeerCertificates } from "./peer-certificates.ts";
import { StartRefusal } from "./refusal.ts";
import type { GivenSettings, Settings } from "./settings.ts";

/** Peers listen this far above their HTTP port (api.md). */
const PEER_PORT_OFFSET = 100;

/** Ids of the stack's core nodes, in the order of dev.json. */
export const coreNodeIds = ({ nodes }: Pick<Settings, "nodes">): number[] =>
  Array.from({ length: nodes }, (_, i) => i + 1);
export const peerPort = ({ corePort }: Pick<Settings, "corePort">, nodeId: number): number =>
  corePort + PEER_PORT_OFFSET + nodeId;

/**
 * How many nodes a cluster has is decided at its first start: later ones need not say it, and one that names another number is
 * refused, since a node more or less is a change of membership, which is not made by starting.
 */
export function decideNodes(given: GivenSettings, paths: DataPaths): Settings {
  const memo = readMemo(paths.memo);
  const known = memo.nodes ?? (existsSync(paths.core(1)) ? 1 : null);
  const nodes = given.nodes ?? known ?? 1;
  if (known !== null && known !== nodes) {
    throw new StartRefusal(
      `${given.dataDir} holds a cluster of ${known}, not of ${nodes}: leave CONFLUX_NODES out or set it to ${known}, or set CONFLUX_DATA_DIR to another folder.`,
    );
  }
  if (memo.nodes === undefined) remember(paths.memo, { nodes });
  return { ...given, nodes };
}

/**
 * Once a further node was let in, the nodes go by the addresses in their state and no longer by what they are started with:
 * with other ports they would not find each other, and nobody would lead.
 */
export function checkCorePort(settings: Pick<Settings, "corePort" | "dataDir">, paths: DataPaths): void {
  const { core_port: known } = readMemo(paths.memo);
  if (known === undefined || known === settings.corePort) return;
  throw new StartRefusal(
    `The core nodes of ${settings.dataDir} know each other by CONFLUX_CORE_PORT=${known}, not ${settings.corePort}: set it so.`,
  );
}

/** What the core nodes need to know of each other, as environment variables by node; nothing for a node alone. */
export async function prepareCoreCluster(
  settings: Settings,
  paths: DataPaths,
  clusterId: string,
): Promise<Map<number, Record<string, string>>> {
  const nodeIds = coreNodeIds(settings);
  if (nodeIds.length === 1) return new Map();
  const files = await preparePeerCertificates({ directory: paths.peers, clusterId, nodeIds });
  return new Map([...files].map(([nodeId, own]) => [nodeId, peerVariables(settings, nodeIds, own)]));
}

/** What a node is told of its peers (`nodeIds`, itself among them) and of its own certificate. */
export function peerVariables(
  settings: Settings,
  nodeIds: readonly number[],
  files: PeerFiles,
): Record<string, string> {
  const members = nodeIds.map(
    (id) => `${id}=127.0.0.1:${peerPort(settings, id)}@http://127.0.0.1:${settings.corePort + id}`,
  );
  return {
    CONFLUX_PEERS: members.join(","),
    CONFLUX_PEER_CA_FILE: files.ca,
    CONFLUX_PEER_CERT_FILE: files.cert,
    CONFLUX_PEER_KEY_FILE: files.key,
  };
}
