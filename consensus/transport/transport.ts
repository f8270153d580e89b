import type { Message } from "../raft/types.ts";

/**
 * How Raft messages travel. They may be lost, doubled, late or out of order: the core stands all of that. A transport
 * must not deliver from within `send`, since the core is not re-entrant, and delivers only what a member truly sent.
 */
export interface Transport {
  /** Hands over messages for other members; never throws, never waits. */
  send(messages: readonly Message[]): void;
  /** Where messages for this node go from now on; null: nowhere. */
  onMessage(receive: ((message: Message) => void) | null): void;
}
