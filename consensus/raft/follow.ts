/** What a follower does with a leader's messages. Its answers promise durability, so they leave after the batch. */
import type { Message } from "./types.ts";
import type { Core } from "./core.ts";
import { sendDurable, sendNow } from "./core.ts";
import { invariant } from "./invariant.ts";
import { promiseTicks } from "./lease.ts";
import {
  appendFromLeader,
  commitTo,
  findConflictByTerm,
  lastIndex,
  restoreSnapshot,
  termAt,
} from "./raft-log-view.ts";
import { noteEntries, noteSnapshot, pruneMemberships } from "./membership/track-membership.ts";

type AppendMessage = Extract<Message, { type: "append" }>;
type HeartbeatMessage = Extract<Message, { type: "heartbeat" }>;
type SnapshotMessage = Extract<Message, { type: "snapshot" }>;

function acceptCommit(core: Core, index: number): void {
  if (commitTo(core.view, index)) pruneMemberships(core);
}

/** A rejected append's `matchIndex` is the `prevIndex` it rejects; the hint says where the logs may still meet. */
export function takeAppend(core: Core, message: AppendMessage): void {
  const envelope = { from: core.config.id, to: message.from, term: core.term } as const;
  const { prevIndex, entries } = message;
  if (prevIndex < core.view.commit) {
    // Stale or repeated: what is committed matches by definition.
    sendDurable(core, {
      ...envelope,
      type: "append_reply",
      ok: true,
      matchIndex: core.view.commit,
      hintIndex: 0,
      hintTerm: 0,
    });
    return;
  }
  if (termAt(core.view, prevIndex) !== message.prevTerm) {
    invariant(
      prevIndex > core.view.commit,
      () => `leader ${message.from} contradicts the committed entry ${prevIndex}`,
    );
    const from = Math.min(prevIndex, lastIndex(core.view));
    const hint = findConflictByTerm(core.view, from, message.prevTerm);
    sendDurable(core, {
      ...envelope,
      type: "append_reply",
      ok: false,
      matchIndex: prevIndex,
      hintIndex: hint.index,
      hintTerm: hint.term,
    });
    return;
  }
  const changedFrom = appendFromLeader(core.view, entries);
  if (changedFrom > 0) noteEntries(core, changedFrom, entries);
  const matchIndex = prevIndex + entries.length;
  acceptCommit(core, Math.min(message.commit, matchIndex));
  sendDurable(core, { ...envelope, type: "append_reply", ok: true, matchIndex, hintIndex: 0, hintTerm: 0 });
}

/** The answer promises no more than that this node follows in this term: once that is durable it waits for no disk. */
export function takeHeartbeat(core: Core, message: HeartbeatMessage): void {
  acceptCommit(core, message.commit);
  const send = core.durable.term === core.term ? sendNow : sendDurable;
  send(core, {
    type: "heartbeat_reply",
    from: core.config.id,
    to: message.from,
    term: core.term,
    readContext: message.readContext,
    promiseTicks: promiseTicks(core),
  });
}

/** Installs a snapshot unless the log holds its last entry already: then it only tells what is committed. */
export function takeSnapshot(core: Core, message: SnapshotMessage): void {
  const { meta } = message;
  if (meta.index > core.view.commit) {
    if (termAt(core.view, meta.index) === meta.term) {
      acceptCommit(core, meta.index);
    } else {
      restoreSnapshot(core.view, meta);
      noteSnapshot(core, meta.index, meta.membership);
    }
  }
  sendDurable(core, {
    type: "snapshot_reply",
    from: core.config.id,
    to: message.from,
    term: core.term,
    ok: true,
    matchIndex: core.view.commit,
  });
}
