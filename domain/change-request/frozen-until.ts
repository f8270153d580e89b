import type { Namespace } from "../config/config-name.ts";
import { type FreezeWindow, namespaceCovered, WEEK_DAYS, type WeeklyFreeze } from "./change-rules.ts";

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
const WEEK_MS = 7 * DAY_MINUTES * MINUTE_MS;
/** 1970-01-01 was a Thursday: the first Monday came four days later. */
const FIRST_MONDAY_MS = 4 * DAY_MINUTES * MINUTE_MS;
/** Windows that follow each other without a gap are followed so far; what comes after is told when it is reached. */
const CHAIN_MAX = 200;

/** A freeze that holds now. */
export interface Freeze {
  /** Of the window that holds now and ends last. */
  name: string;
  /** When the first moment comes that no window covers. */
  untilMs: number;
}

/** The freeze that holds for a namespace at a moment of the log's time; null when changes are free. */
export function frozenUntil(
  windows: readonly FreezeWindow[],
  namespace: Namespace,
  nowMs: number,
): Freeze | null {
  const about = windows.filter((window) => namespaceCovered(window.namespaces, namespace));
  const first = latestEnd(about, nowMs);
  if (first === null) return null;
  let { untilMs } = first;
  for (let i = 0; i < CHAIN_MAX; i++) {
    const next = latestEnd(about, untilMs);
    if (next === null) break;
    ({ untilMs } = next);
  }
  return { name: first.name, untilMs };
}

function latestEnd(windows: readonly FreezeWindow[], atMs: number): Freeze | null {
  let last: Freeze | null = null;
  for (const window of windows) {
    const untilMs = endIfIn(window, atMs);
    if (untilMs !== null && (last === null || untilMs > last.untilMs)) last = { name: window.name, untilMs };
  }
  return last;
}

/** When the window that covers a moment ends; null when it does not cover it. */
function endIfIn(window: FreezeWindow, atMs: number): number | null {
  if (window.type === "absolute") {
    return window.from_ms <= atMs && atMs < window.until_ms ? window.until_ms : null;
  }
  const startMs = lastStart(window, atMs);
  const endMs = startMs + window.duration_minutes * MINUTE_MS;
  return atMs < endMs ? endMs : null;
}

/** The last time at or before a moment at which the window began. */
function lastStart({ day, minute_of_day }: WeeklyFreeze, atMs: number): number {
  const inWeekMs = (WEEK_DAYS.indexOf(day) * DAY_MINUTES + minute_of_day) * MINUTE_MS;
  const firstMs = FIRST_MONDAY_MS + inWeekMs;
  return firstMs + Math.floor((atMs - firstMs) / WEEK_MS) * WEEK_MS;
}
