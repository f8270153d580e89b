import type { Message, NodeId } from "../raft/types.ts";
import type { Transport } from "./transport.ts";

/** Members of one process, joined by memory. For a single node it is the whole network. */
export interface MemoryNetwork {
  /** The transport of one member. Asking again replaces it, as after a restart. */
  transport(nodeId: NodeId): Transport;
  /** Cuts a member off from all others, in both directions, or lets it in again. */
  isolate(nodeId: NodeId, isolated: boolean): void;
}

/** Messages arrive in a later turn, in the order sent between two members. Entries are shared, not copied. */
export function createMemoryNetwork(): MemoryNetwork {
  const receivers = new Map<NodeId, (message: Message) => void>();
  const isolated = new Set<NodeId>();
  const deliver = (message: Message): void => {
    if (isolated.has(message.from) || isolated.has(message.to)) return;
    receivers.get(message.to)?.(message);
  };
  return {
    transport: (nodeId) => ({
      send: (messages) => {
        for (const message of messages) setImmediate(deliver, message);
      },
      onMessage: (receive) => {
        if (receive === null) receivers.delete(nodeId);
        else receivers.set(nodeId, receive);
      },
    }),
    isolate: (nodeId, isIsolated) => {
      if (isIsolated) isolated.add(nodeId);
      else isolated.delete(nodeId);
    },
  };
}
