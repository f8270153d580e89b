/** What a leader does with its members' answers and with what the driver reports of them. */
import type { Index, Message, NodeId } from "./types.ts";
import type { Core } from "./core.ts";
import { findConflictByTerm, firstIndex, lastIndex } from "./raft-log-view.ts";
import { acknowledge, becomeProbe, becomeReplicate, noteHeard, reject } from "./tracker/progress.ts";
import type { Progress } from "./tracker/progress.ts";
import { advanceCommit } from "./advance-commit.ts";
import { notePromise, sendTimeoutNow } from "./lease.ts";
import { sendAppends, sendPoke } from "./send-append.ts";
import { confirmReads } from "./read-index.ts";

type AppendReply = Extract<Message, { type: "append_reply" }>;
type HeartbeatReply = Extract<Message, { type: "heartbeat_reply" }>;
type SnapshotReply = Extract<Message, { type: "snapshot_reply" }>;

export function takeAppendReply(core: Core, message: AppendReply): void {
  const progress = core.progress.get(message.from);
  if (progress === undefined) return;
  noteHeard(progress);
  if (message.ok) {
    takeMatch(core, message.from, progress, message.matchIndex);
    return;
  }
  // Our entries above the last one of a term at most `hintTerm` cannot match either: skip the whole term at once.
  const hint =
    message.hintTerm > 0
      ? findConflictByTerm(core.view, Math.min(message.hintIndex, lastIndex(core.view)), message.hintTerm)
          .index
      : message.hintIndex;
  if (reject(progress, message.matchIndex, hint)) sendAppends(core, message.from, true);
}

function takeMatch(core: Core, from: NodeId, progress: Progress, index: Index): void {
  const news = acknowledge(progress, index);
  if (progress.state === "probe" && progress.match === index) becomeReplicate(progress);
  // A follower that got far enough by itself needs no snapshot any more.
  if (progress.state === "snapshot" && progress.match + 1 >= firstIndex(core.view) && news) {
    becomeProbe(progress);
    becomeReplicate(progress);
  }
  if (news) advanceCommit(core);
  if (core.role !== "leader") return;
  sendAppends(core, from, false);
  if (core.transferee === from && progress.match === lastIndex(core.view)) {
    sendTimeoutNow(core, from);
  }
}

export function takeHeartbeatReply(core: Core, message: HeartbeatReply): void {
  const progress = core.progress.get(message.from);
  if (progress === undefined) return;
  noteHeard(progress);
  progress.probeSent = false;
  if (message.readContext > progress.readAck) {
    progress.readAck = message.readContext;
    notePromise(core, progress, { context: message.readContext, promise: message.promiseTicks });
    confirmReads(core);
  }
  if (progress.match >= lastIndex(core.view) && progress.state !== "probe") return;
  if (progress.state === "replicate" && progress.match < progress.next - 1)
    sendPoke(core, message.from, progress);
  sendAppends(core, message.from, true);
}

export function takeSnapshotReply(core: Core, message: SnapshotReply): void {
  const progress = core.progress.get(message.from);
  if (progress === undefined) return;
  noteHeard(progress);
  if (message.ok) takeMatch(core, message.from, progress, message.matchIndex);
  else failSnapshot(progress);
}

function failSnapshot(progress: Progress): void {
  if (progress.state !== "snapshot") return;
  progress.pendingSnapshot = 0;
  becomeProbe(progress);
  // The next heartbeat answer tries again, not this instant: a failing transfer must not spin.
  progress.probeSent = true;
}

/** The driver has sent a snapshot or failed to; until it says so nothing else goes to that member. */
export function takeSnapshotReport(core: Core, to: NodeId, ok: boolean): void {
  const progress = core.progress.get(to);
  if (progress === undefined || progress.state !== "snapshot") return;
  if (!ok) {
    failSnapshot(progress);
    return;
  }
  becomeProbe(progress);
  progress.probeSent = true;
}

/** Messages to this member are being lost: stop streaming, probe. */
export function takeUnreachable(core: Core, id: NodeId): void {
  const progress = core.progress.get(id);
  if (progress?.state === "replicate") becomeProbe(progress);
}
