import type { Index } from "../types.ts";

export interface WindowLimits {
  messagesMax: number;
  bytesMax: number;
}

/** The append messages on the way to one follower, oldest first, bounded by their count and by their bytes. */
export interface InflightWindow {
  readonly limits: WindowLimits;
  /** The last index of each, and what its entries cost. */
  readonly messages: { lastIndex: Index; bytes: number }[];
  bytes: number;
}

export function createInflightWindow(limits: WindowLimits): InflightWindow {
  return { limits, messages: [], bytes: 0 };
}

/** A window with room left takes one more message whatever its size, so that a large one can be sent at all. */
export function isWindowFull({ limits, messages, bytes }: InflightWindow): boolean {
  return messages.length >= limits.messagesMax || bytes >= limits.bytesMax;
}

export function addToWindow(window: InflightWindow, lastIndex: Index, bytes: number): void {
  window.messages.push({ lastIndex, bytes });
  window.bytes += bytes;
}

/** Frees every message whose last entry is at or below `index`: an acknowledgement covers all before it. */
export function freeWindowTo(window: InflightWindow, index: Index): void {
  const { messages } = window;
  let count = 0;
  for (const message of messages) {
    if (message.lastIndex > index) break;
    window.bytes -= message.bytes;
    count += 1;
  }
  if (count > 0) messages.splice(0, count);
}

export function clearWindow(window: InflightWindow): void {
  window.messages.length = 0;
  window.bytes = 0;
}
