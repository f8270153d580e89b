import type { ReadMode } from "../raft-log-options.ts";
import { EnvironmentError } from "./environment-error.ts";

/** A member as the environment names it: `id=host:peerPort@http://host:port`. */
export interface NamedMember {
  nodeId: number;
  host: string;
  port: number;
  /** Its HTTP surface. */
  url: string;
}

export interface PeerEnvironment {
  /** All members, this one included, ascending. */
  members: NamedMember[];
  listenHost: string;
  listenPort: number;
  caFile: string;
  certFile: string;
  keyFile: string;
  /** The shortest time without a leader after which a node stands; the longest is twice that. */
  electionTimeoutMs: number;
  /** With an empty disk: ask a cluster that is there to be let in, instead of founding one. */
  joins: boolean;
  /** Linearizable reads: a round among the members each, or by the leader's lease (raft/lease.ts). */
  readMode: ReadMode;
}

/** More voters would only slow each write down. */
const MEMBERS_MAX = 9;
const ELECTION_TIMEOUT_MS = { min: 200, default: 500, max: 10_000 };
const RULE = "id=host:peerPort@http://host:port, separated by commas, this node among them";

/**
 * Reads what a node needs to know of its cluster; null when CONFLUX_PEERS is not set. Throws `EnvironmentError`, also for
 * CONFLUX_JOIN alone: a node that founds a cluster of its own where it was to join one would take writes that nobody else has.
 */
export function readPeers(
  env: Readonly<Record<string, string | undefined>>,
  node: { nodeId: number; host: string },
): PeerEnvironment | null {
  const text = env["CONFLUX_PEERS"];
  if (text === undefined || text === "") {
    readJoin(env["CONFLUX_JOIN"], 0);
    return null;
  }
  const members = text
    .split(",")
    .map((part) => readMember(part.trim()))
    .toSorted((a, b) => a.nodeId - b.nodeId);
  const own = members.find((member) => member.nodeId === node.nodeId);
  const isDouble = new Set(members.map((member) => member.nodeId)).size !== members.length;
  if (own === undefined || isDouble || members.length > MEMBERS_MAX) {
    throw new EnvironmentError(`CONFLUX_PEERS is not valid: ${RULE}, each once, at most ${MEMBERS_MAX}`);
  }
  const file = (name: string): string => {
    const path = env[name];
    if (path === undefined || path === "")
      throw new EnvironmentError(`${name} is not set: a PEM file for mutual TLS between peers`);
    return path;
  };
  return {
    members,
    listenHost: env["CONFLUX_PEER_LISTEN_HOST"] || node.host,
    listenPort: own.port,
    caFile: file("CONFLUX_PEER_CA_FILE"),
    certFile: file("CONFLUX_PEER_CERT_FILE"),
    keyFile: file("CONFLUX_PEER_KEY_FILE"),
    electionTimeoutMs: readElectionTimeout(env["CONFLUX_ELECTION_TIMEOUT_MS"]),
    joins: readJoin(env["CONFLUX_JOIN"], members.length),
    readMode: readReadMode(env["CONFLUX_READ_MODE"]),
  };
}

function readMember(part: string): NamedMember {
  const match = /^([1-9]\d{0,8})=(\[[\da-f:.]+\]|[\w.-]+):(\d{1,5})@(https?:\/\/[^\s@]+)$/i.exec(part);
  const [, id = "", host = "", port = "", url = ""] = match ?? [];
  if (match === null || Number(port) > 65_535 || !URL.canParse(url)) {
    throw new EnvironmentError(`CONFLUX_PEERS is not valid at "${part}": ${RULE}`);
  }
  return { nodeId: Number(id), host: host.replace(/^\[|\]$/g, ""), port: Number(port), url };
}

function readJoin(text: string | undefined, members: number): boolean {
  if (text === undefined || text === "" || text === "0") return false;
  if (text !== "1") throw new EnvironmentError("CONFLUX_JOIN is not valid: 1 to join a cluster, or not set");
  if (members > 1) return true;
  throw new EnvironmentError("CONFLUX_JOIN is set, but CONFLUX_PEERS names no member of the cluster");
}

function readElectionTimeout(text: string | undefined): number {
  if (text === undefined || text === "") return ELECTION_TIMEOUT_MS.default;
  const value = Number(text);
  const { min, max } = ELECTION_TIMEOUT_MS;
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new EnvironmentError(`CONFLUX_ELECTION_TIMEOUT_MS is not valid: milliseconds from ${min} to ${max}`);
}

function readReadMode(text: string | undefined): ReadMode {
  if (text === undefined || text === "" || text === "quorum") return "quorum";
  if (text === "lease") return "lease";
  throw new EnvironmentError("CONFLUX_READ_MODE is not valid: quorum, or lease");
}
