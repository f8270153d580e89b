import type { NodeId } from "../raft/types.ts";

export interface PeerCredentials {
  /** PEM. */
  ca: string | Buffer;
  cert: string | Buffer;
  key: string | Buffer;
}
export interface PeerAddress {
  nodeId: NodeId;
  host: string;
  port: number;
}
export type TransportLog = (line: { level: "info" | "warn"; msg: string; [field: string]: unknown }) => void;
