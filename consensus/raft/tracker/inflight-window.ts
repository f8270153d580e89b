import type { Index } from "../types.ts";

/** The last index of each append message on the way to one follower, oldest first, bounded by count. */
export interface InflightWindow {
  readonly max: number;
  readonly lastIndexes: Index[];
}

export function createInflightWindow(max: number): InflightWindow {
  return { max, lastIndexes: [] };
}

export function isWindowFull(window: InflightWindow): boolean {
  return window.lastIndexes.length >= window.max;
}

export function addToWindow(window: InflightWindow, lastIndex: Index): void {
  window.lastIndexes.push(lastIndex);
}

/** Frees every message whose last entry is at or below `index`: an acknowledgement covers all before it. */
export function freeWindowTo(window: InflightWindow, index: Index): void {
  let count = 0;
  while (count < window.lastIndexes.length && (window.lastIndexes[count] ?? 0) <= index) count += 1;
  if (count > 0) window.lastIndexes.splice(0, count);
}

export function clearWindow(window: InflightWindow): void {
  window.lastIndexes.length = 0;
}
