/** Where every message comes in: first the rule of terms, then the verb for it. */
import type { Message } from "./types.ts";
import { NOBODY } from "./types.ts";
import type { Core } from "./core.ts";
import { sendDurable } from "./core.ts";
import { answerVote, isInLease, stand, takeVoteReply } from "./election.ts";
import { takeAppend, takeHeartbeat, takeSnapshot } from "./follow.ts";
import { takeAppendReply, takeHeartbeatReply, takeSnapshotReply } from "./lead.ts";
import { becomeFollower } from "./roles.ts";
import { invariant } from "./invariant.ts";

function isFromLeader(message: Message): boolean {
  return message.type === "append" || message.type === "heartbeat" || message.type === "snapshot";
}

export function step(core: Core, message: Message): void {
  if (message.to !== core.config.id) return;
  if (message.term > core.term) {
    if (!enterTerm(core, message)) return;
  } else if (message.term < core.term) {
    answerStale(core, message);
    return;
  }
  dispatch(core, message);
}

/** Takes up a later term, unless the message does not call for it. False: the message is to be ignored. */
function enterTerm(core: Core, message: Message): boolean {
  if (message.type === "pre_vote" || message.type === "vote") {
    if (!message.transfer && isInLease(core)) return false;
    if (message.type === "pre_vote") return true;
  }
  if (message.type === "pre_vote_reply" && message.granted) return message.term === core.term + 1;
  becomeFollower(core, message.term, isFromLeader(message) ? message.from : NOBODY);
  return true;
}

/**
 * A leader of an earlier term must learn of the later one, or a node that got ahead while cut off could never be led
 * again; so must one that asks for pre-votes.
 */
function answerStale(core: Core, message: Message): void {
  const envelope = { from: core.config.id, to: message.from, term: core.term } as const;
  if (isFromLeader(message)) {
    sendDurable(core, {
      ...envelope,
      type: "append_reply",
      ok: false,
      matchIndex: 0,
      hintIndex: 0,
      hintTerm: 0,
    });
  } else if (message.type === "pre_vote") {
    sendDurable(core, { ...envelope, type: "pre_vote_reply", granted: false });
  }
}

function heardLeader(core: Core, message: Message): void {
  invariant(
    core.role !== "leader",
    () => `two leaders in term ${core.term}: ${core.config.id} and ${message.from}`,
  );
  invariant(
    core.leader === NOBODY || core.leader === message.from,
    () => `two leaders in term ${core.term}: ${core.leader} and ${message.from}`,
  );
  if (core.role === "follower") {
    core.leader = message.from;
    core.electionElapsed = 0;
  } else {
    becomeFollower(core, core.term, message.from);
  }
  core.sinceLeader = 0;
  core.isWanted = false;
}

function dispatch(core: Core, message: Message): void {
  if (isFromLeader(message)) heardLeader(core, message);
  switch (message.type) {
    case "pre_vote":
    case "vote":
      answerVote(core, message);
      return;
    case "pre_vote_reply":
    case "vote_reply":
      takeVoteReply(core, message);
      return;
    case "append":
      takeAppend(core, message);
      return;
    case "heartbeat":
      takeHeartbeat(core, message);
      return;
    case "snapshot":
      takeSnapshot(core, message);
      return;
    case "append_reply":
      if (core.role === "leader") takeAppendReply(core, message);
      return;
    case "heartbeat_reply":
      if (core.role === "leader") takeHeartbeatReply(core, message);
      return;
    case "snapshot_reply":
      if (core.role === "leader") takeSnapshotReply(core, message);
      return;
    case "timeout_now":
      if (core.role !== "leader") stand(core, true);
      return;
  }
}
