import { copyFileSync } from "node:fs";
import type { Message, NodeId } from "../raft/types.ts";
import type { InfoChannel, InfoReceiver } from "./info-channel.ts";
import type { Receive, Transport } from "./transport.ts";

/** Members of one process, joined by memory. For a single node it is the whole network. */
export interface MemoryNetwork {
  /** The transport of one member. Asking again replaces it, as after a restart. */
  transport(nodeId: NodeId): Transport;
  /** Its end of what members tell each other beside Raft. */
  infoChannel(nodeId: NodeId): InfoChannel;
  /** Cuts a member off from all others, in both directions, or lets it in again. */
  isolate(nodeId: NodeId, isolated: boolean): void;
}

/**
 * Messages arrive in a later turn, in the order sent between two members. Entries are shared, not copied; a snapshot's
 * file is copied beside the one sent.
 */
export function createMemoryNetwork(): MemoryNetwork {
  const receivers = new Map<NodeId, Receive>();
  const isolated = new Set<NodeId>();
  const informed = new Map<NodeId, InfoReceiver>();
  let copies = 0;
  const isCut = (message: Message): boolean => isolated.has(message.from) || isolated.has(message.to);
  const deliver = (message: Message, snapshotPath?: string): void => {
    if (!isCut(message)) receivers.get(message.to)?.(message, snapshotPath);
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
      sendSnapshot: (message, path) => {
        if (isCut(message) || !receivers.has(message.to)) {
          return Promise.reject(new Error(`node ${message.to} cannot be reached`));
        }
        copies += 1;
        const copy = `${path}.to-${message.to}-${copies}`;
        copyFileSync(path, copy);
        setImmediate(deliver, message, copy);
        return Promise.resolve();
      },
      onUnreachable: () => undefined,
    }),
    infoChannel: (nodeId) => ({
      sendInfo: (to, payload) => {
        const copy = Uint8Array.from(payload);
        setImmediate(() => {
          if (!isolated.has(nodeId) && !isolated.has(to)) informed.get(to)?.onInfo(nodeId, copy);
        });
      },
      onInfo: (receive) => {
        if (receive === null) informed.delete(nodeId);
        else informed.set(nodeId, receive);
      },
      connected: () => [...informed.keys()].filter((id) => id !== nodeId && !isolated.has(id)),
    }),
    isolate: (nodeId, isIsolated) => {
      if (isIsolated) isolated.add(nodeId);
      else isolated.delete(nodeId);
    },
  };
}
