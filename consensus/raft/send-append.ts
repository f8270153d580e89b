/** What a leader sends: appends, snapshots for those who are behind the log, heartbeats. */
import type { Entry, NodeId } from "./types.ts";
import type { Core } from "./core.ts";
import { sendNow } from "./core.ts";
import { noteHeartbeat } from "./lease.ts";
import {
  entriesBetween,
  entryBytes,
  firstIndex,
  lastIndex,
  newestSnapshot,
  termAt,
} from "./raft-log-view.ts";
import { becomeProbe, becomeSnapshot, isPaused } from "./tracker/progress.ts";
import type { Progress } from "./tracker/progress.ts";
import { addToWindow } from "./tracker/inflight-window.ts";

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

/** Sends the next append (or the snapshot) when the member may take one; false when nothing was sent. */
function sendOne(core: Core, to: NodeId, progress: Progress, evenIfEmpty: boolean): boolean {
  if (isPaused(progress)) return false;
  const prevIndex = progress.next - 1;
  const prevTerm = termAt(core.view, prevIndex);
  if (prevTerm === undefined || progress.next < firstIndex(core.view))
    return sendSnapshot(core, to, progress);
  const entries = entriesBetween(
    core.view,
    progress.next,
    lastIndex(core.view) + 1,
    core.config.appendBytesMax,
  );
  const last = entries.at(-1);
  if (last === undefined && !evenIfEmpty) return false;
  sendNow(core, {
    type: "append",
    from: core.config.id,
    to,
    term: core.term,
    prevIndex,
    prevTerm,
    commit: core.view.commit,
    entries,
  });
  if (progress.state === "probe") progress.probeSent = true;
  else if (last !== undefined) {
    progress.next = last.index + 1;
    addToWindow(progress.window, last.index, bytesOf(entries));
  }
  return last !== undefined;
}

function sendSnapshot(core: Core, to: NodeId, progress: Progress): boolean {
  const meta = newestSnapshot(core.view);
  // A silent follower would only waste the transfer; and without a snapshot the next reply tries again.
  if (!progress.active || meta === null) return false;
  becomeSnapshot(progress, meta.index);
  sendNow(core, { type: "snapshot", from: core.config.id, to, term: core.term, meta });
  return true;
}

/** Sends a member everything its window allows; an empty append when `evenIfEmpty` and there is nothing else. */
export function sendAppends(core: Core, to: NodeId, evenIfEmpty: boolean): void {
  const progress = core.progress.get(to);
  if (progress === undefined) return;
  let more = sendOne(core, to, progress, evenIfEmpty);
  while (more) more = sendOne(core, to, progress, false);
}

/**
 * An append without entries right behind what was sent last. A member that lost the messages before it rejects it,
 * which is how a leader with a full window learns of the loss.
 */
export function sendPoke(core: Core, to: NodeId, progress: Progress): void {
  const prevIndex = progress.next - 1;
  const prevTerm = termAt(core.view, prevIndex);
  if (prevTerm === undefined) {
    // Compacted meanwhile: what was on its way cannot be checked any more, so start over from what is known.
    becomeProbe(progress);
    return;
  }
  sendNow(core, {
    type: "append",
    from: core.config.id,
    to,
    term: core.term,
    prevIndex,
    prevTerm,
    commit: core.view.commit,
    entries: [],
  });
}

/** Sends what waits to every other member. */
export function broadcastAppends(core: Core): void {
  core.broadcastWanted = false;
  core.commitUntold = false;
  for (const id of core.progress.keys()) {
    if (id !== core.config.id) sendAppends(core, id, true);
  }
}

/** A heartbeat to every other member, carrying the newest read context and no more commit than it is known to have. */
export function broadcastHeartbeats(core: Core): void {
  noteHeartbeat(core);
  for (const [id, progress] of core.progress) {
    if (id === core.config.id) continue;
    sendNow(core, {
      type: "heartbeat",
      from: core.config.id,
      to: id,
      term: core.term,
      commit: Math.min(progress.match, core.view.commit),
      readContext: core.readContext,
    });
  }
}
