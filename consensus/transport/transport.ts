import type { Message, NodeId } from "../raft/types.ts";

export type SnapshotMessage = Extract<Message, { type: "snapshot" }>;
/** What goes with a snapshot's file. */
export interface SnapshotTransfer {
  /** Stands for the file's content: the same object says that the file has not changed since. */
  copy: object;
  /** Of the state (`StateMachine.snapshotFormat`). */
  format: number;
  signal: AbortSignal;
}
/** `snapshotPath`: with a snapshot message, the file that came with it; it belongs to the receiver, who removes it. */
export type Receive = (message: Message, snapshotPath?: string) => void;

/**
 * How Raft messages travel. They may be lost, doubled, late or out of order: the core stands all of that. A transport
 * must not deliver from within `send`, since the core is not re-entrant, and delivers only what a member truly sent.
 */
export interface Transport {
  /** Hands over messages for other members, snapshots excepted; never throws, never waits. */
  send(messages: readonly Message[]): void;
  /** Where messages for this node go from now on; null: nowhere. */
  onMessage(receive: Receive | null): void;
  /**
   * Sends a file and then its message; the same file again goes on where an earlier attempt broke off. Resolves when the
   * receiver has it whole; rejects with the reason when not, or when it was refused or aborted.
   */
  sendSnapshot(message: SnapshotMessage, path: string, transfer: SnapshotTransfer): Promise<void>;
  /** Who is told, in a later turn, that messages to a member were lost; null: nobody. */
  onUnreachable(report: ((nodeId: NodeId) => void) | null): void;
}
