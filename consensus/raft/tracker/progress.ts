/**
 * What a leader knows of one member. Invariant: match < next, and match never goes back within a term (it is a promise
 * of durability by the member). `next` may be wrong (optimistic); a rejection corrects it.
 */
import type { Index } from "../types.ts";
import { clearWindow, createInflightWindow, freeWindowTo, isWindowFull } from "./inflight-window.ts";
import type { InflightWindow, WindowLimits } from "./inflight-window.ts";

export type ProgressState = "probe" | "replicate" | "snapshot";

export interface Progress {
  match: Index;
  next: Index;
  /** probe: one message at a time; replicate: a window of them; snapshot: none until the snapshot is reported. */
  state: ProgressState;
  /** Heard from since the last quorum check. */
  active: boolean;
  /** In probe: the one message is on its way. */
  probeSent: boolean;
  /** In snapshot: the index the follower will have when it is through. */
  pendingSnapshot: Index;
  /** Highest context of a heartbeat that this member has acknowledged in this term. */
  readAck: number;
  /** With leases: until when, by the leader's clock, its last acknowledgement keeps it from voting for another (lease.ts). */
  leaseEndsAtTicks: number;
  window: InflightWindow;
}

export function createProgress(next: Index, window: WindowLimits): Progress {
  return {
    match: 0,
    next,
    state: "probe",
    active: false,
    probeSent: false,
    pendingSnapshot: 0,
    readAck: 0,
    leaseEndsAtTicks: -Infinity,
    window: createInflightWindow(window),
  };
}

function moveTo(progress: Progress, state: ProgressState): void {
  progress.state = state;
  progress.probeSent = false;
  progress.pendingSnapshot = 0;
  clearWindow(progress.window);
}

/** Back to one message at a time, from behind a pending snapshot or from what is known to match. */
export function becomeProbe(progress: Progress): void {
  const pending = progress.state === "snapshot" ? progress.pendingSnapshot : 0;
  moveTo(progress, "probe");
  progress.next = Math.max(progress.match, pending) + 1;
}

export function becomeReplicate(progress: Progress): void {
  moveTo(progress, "replicate");
  progress.next = progress.match + 1;
}

export function becomeSnapshot(progress: Progress, index: Index): void {
  moveTo(progress, "snapshot");
  progress.pendingSnapshot = index;
  progress.next = index + 1;
}

/** Whether no append with entries may be sent now. */
export function isPaused(progress: Progress): boolean {
  if (progress.state === "probe") return progress.probeSent;
  if (progress.state === "replicate") return isWindowFull(progress.window);
  return true;
}

export function noteHeard(progress: Progress): void {
  progress.active = true;
}

/** Takes an acknowledgement up to `index`; false when it says nothing new. */
export function acknowledge(progress: Progress, index: Index): boolean {
  const news = index > progress.match;
  if (news) {
    progress.match = index;
    progress.probeSent = false;
  }
  progress.next = Math.max(progress.next, index + 1);
  if (progress.state === "replicate") freeWindowTo(progress.window, index);
  return news;
}

/**
 * Takes a rejection of the append behind `rejected`; `hint` is the highest index that may still match.
 * False when the rejection is stale: a reordered or repeated reply.
 */
export function reject(progress: Progress, rejected: Index, hint: Index): boolean {
  if (progress.state === "replicate") {
    if (rejected <= progress.match) return false;
    becomeProbe(progress);
    return true;
  }
  if (progress.state === "snapshot" || progress.next - 1 !== rejected) return false;
  progress.next = Math.max(Math.min(rejected, hint + 1), progress.match + 1);
  progress.probeSent = false;
  return true;
}
