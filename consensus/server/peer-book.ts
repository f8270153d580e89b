import { listNodeRecords, type NodeRecord } from "../../domain/cluster/node-record.ts";
import type { StateView } from "../../domain/command/state-view.ts";
import type { NodeId } from "../raft/types.ts";
import type { PeerAddress } from "../transport/peer-address.ts";
import type { NamedMember } from "./read-peers.ts";

/** What a node says of itself when it asks to be let in. */
export interface JoinRequest {
  diskId: string;
  url: string;
}

/** Node ids that a cluster may use up over its life. */
export const NODE_RECORDS_MAX = 10_000;

/** Where the book's peers are put into effect, and looked for. */
export interface PeerStreams {
  setPeers(
    peers: readonly PeerAddress[],
    options: { welcomesAll: boolean; removed: ReadonlySet<NodeId> },
  ): void;
  /** Resolves when the node answers at its address; rejects with what was found there instead, in words. */
  probe(peer: PeerAddress, timeoutMs: number): Promise<void>;
}

/** Splits `host:port`, the host of an IPv6 address in brackets; null for what is none. */
export function parsePeerAddress(text: string): { host: string; port: number } | null {
  const match = /^(\[[\da-f:.]+\]|[\w.-]+):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) return null;
  return { host: (match[1] ?? "").replace(/^\[|\]$/g, ""), port };
}

/**
 * Where the nodes are: as the environment named them, and over that as the state has recorded them. Whoever is removed and
 * no member any more is no peer.
 */
export class PeerBook {
  readonly #nodeId: NodeId;
  readonly #named: readonly NamedMember[];
  /** Whom an operator has asked to admit, before the state knows them. */
  readonly #expected = new Map<NodeId, PeerAddress>();
  #state: StateView | null = null;
  #members: () => readonly NodeId[] = () => [];
  /** Of the membership applied last; before the first one here, nobody beside those in force. */
  #appliedMembers: readonly NodeId[] = [];
  #streams: PeerStreams | null = null;
  /** What a node that is not admitted yet said of itself. */
  requestOf: (nodeId: NodeId) => JoinRequest | undefined = () => undefined;
  /** Called, again and again, when the state says that this node was removed. */
  onOwnRemoval: () => void = () => undefined;
  /** Whether anybody, the state or another member, has said that this node was removed. */
  heardOfOwnRemoval = false;

  constructor(nodeId: NodeId, named: readonly NamedMember[]) {
    this.#nodeId = nodeId;
    this.#named = named;
  }

  /** False for a node that was started alone: it has no streams, so nobody can join it. */
  get hasStreams(): boolean {
    return this.#streams !== null;
  }

  useStreams(streams: PeerStreams): void {
    this.#streams = streams;
  }
  useState(state: StateView): void {
    this.#state = state;
  }
  /** The membership in force, once there is a log. */
  useMembers(members: () => readonly NodeId[]): void {
    this.#members = members;
    this.refresh();
  }

  records(): NodeRecord[] {
    return this.#state === null ? [] : listNodeRecords(this.#state, NODE_RECORDS_MAX);
  }
  recordOf(nodeId: NodeId): NodeRecord | undefined {
    return this.records().find((record) => record.node_id === nodeId);
  }
  /** Counts as long as a membership without it is not applied: a leader that leaves must hear that its going is committed. */
  isMember(nodeId: NodeId): boolean {
    return this.#members().includes(nodeId) || this.#appliedMembers.includes(nodeId);
  }
  membershipApplied(members: readonly NodeId[]): void {
    this.#appliedMembers = members;
    this.refresh();
  }

  /** Why nobody answers as this node at an address, in words; null when it does. Waits `timeoutMs` at most. */
  async troubleAt(peer: PeerAddress, timeoutMs: number): Promise<string | null> {
    try {
      await this.#streams?.probe(peer, timeoutMs);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Lets a node in that asks, and dials it, until the state says more. */
  expect(peer: PeerAddress): void {
    this.#expected.set(peer.nodeId, peer);
    this.refresh();
  }
  expectNoMore(nodeId: NodeId): void {
    this.#expected.delete(nodeId);
    this.refresh();
  }

  /** Where a node is: for its peers, and for those who call it. Empty when nobody knows. */
  addressOf(nodeId: NodeId): { peer: string; url: string } {
    const record = this.recordOf(nodeId);
    if (record !== undefined && record.raft_address !== "") {
      return { peer: record.raft_address, url: record.url };
    }
    const named = this.#named.find((member) => member.nodeId === nodeId);
    return named === undefined
      ? { peer: "", url: "" }
      : { peer: `${named.host}:${named.port}`, url: named.url };
  }

  /** Puts the peers into effect. Call when records or membership have changed. */
  refresh(): void {
    if (this.#streams === null) return;
    const peers = new Map<NodeId, PeerAddress>();
    for (const { nodeId, host, port } of this.#named) peers.set(nodeId, { nodeId, host, port });
    for (const [nodeId, peer] of this.#expected) peers.set(nodeId, peer);
    let isKnown = this.isMember(this.#nodeId);
    const removed = new Set<NodeId>();
    for (const record of this.records()) {
      if (record.node_id === this.#nodeId) isKnown = true;
      const address = parsePeerAddress(record.raft_address);
      if (record.removed && record.node_id === this.#nodeId) this.onOwnRemoval();
      if (record.removed && !this.isMember(record.node_id)) {
        peers.delete(record.node_id);
        removed.add(record.node_id);
      } else if (address !== null) peers.set(record.node_id, { nodeId: record.node_id, ...address });
    }
    peers.delete(this.#nodeId);
    this.#streams.setPeers([...peers.values()], { welcomesAll: !isKnown, removed });
  }
}
