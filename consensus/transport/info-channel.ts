import type { NodeId } from "../raft/types.ts";

/** Who hears what members tell of themselves. */
export interface InfoReceiver {
  /** Throws for what makes no sense: the stream it came on ends. */
  onInfo(from: NodeId, payload: Uint8Array): void;
  /** A stream to a member is up. */
  onConnected(nodeId: NodeId): void;
}

/** How members tell each other what they are: their clocks, and what they understand. What is sent may be lost. */
export interface InfoChannel {
  /** Nothing to a member that is not connected, or whose build does not know such frames. */
  sendInfo(to: NodeId, payload: Uint8Array): void;
  onInfo(receive: InfoReceiver | null): void;
  /** Members with a stream now. */
  connected(): NodeId[];
}
