import { stateKey, type StateView } from "../command/state-view.ts";

/**
 * What the state knows of a node of the core, from its admission on and for ever: an id that was a member once is never
 * taken again, because what it voted for cannot be known (wiped-node fencing, R5).
 */
export interface NodeRecord {
  node_id: number;
  /** `host:port` where its peers reach it. */
  raft_address: string;
  /** Its HTTP surface. */
  url: string;
  /** Made by the node with its disk; another one under the same id is a lost disk. Empty for those who founded the cluster. */
  disk_id: string;
  /** It is being removed, or is. */
  removed: boolean;
}

export function findNodeRecord(state: StateView, nodeId: number): NodeRecord | undefined {
  return state.json(stateKey.node(nodeId)) as NodeRecord | undefined;
}

/** All of them, by id. */
export function listNodeRecords(state: StateView, limit: number): NodeRecord[] {
  return [...state.scan(stateKey.nodePrefix, { limit })].map(({ value }) => value as NodeRecord);
}
