/**
 * The transport of a node that lost its disk and must neither vote nor stand: no election comes or goes.
 *
 * While its log is empty it follows only a leader elected after the loss. One elected before still counts on what the node
 * has acknowledged and forgotten, and would tell it to commit entries it does not have. So that leader is answered with a
 * later term: it steps down, and whoever is elected next asks the node anew what it has.
 */
import type { Message, Term } from "../raft/types.ts";
import type { SnapshotFiles } from "../storage/snapshot-files.ts";
import type { Transport } from "./transport.ts";

export function fenceTransport(
  transport: Transport,
  options: { hasLog: boolean; files: Pick<SnapshotFiles, "remove"> },
): Transport {
  /** The term of the first leader heard of; null until then. Nothing up to it is listened to. */
  let forgottenTerm: Term | null = options.hasLog ? 0 : null;
  /** Until then whoever tells this node of anything committed counts on what it forgot (Raft tells no more than it has). */
  let hasAcknowledged = options.hasLog;
  const admits = (message: Message): boolean => {
    if (isElection(message)) return false;
    if (isFromLeader(message)) forgottenTerm ??= message.term;
    // The first one heard may have been a late message of a leader before it.
    if (!hasAcknowledged && message.type === "heartbeat" && message.commit > 0)
      forgottenTerm = Math.max(forgottenTerm ?? 0, message.term);
    if (forgottenTerm === null || message.term > forgottenTerm) return forgottenTerm !== null;
    if (isFromLeader(message)) transport.send([refusal(message, forgottenTerm + 1)]);
    return false;
  };
  return {
    send: (messages) => {
      hasAcknowledged ||= messages.some(isAcknowledgement);
      transport.send(messages.filter((message) => !isElection(message)));
    },
    onMessage: (receive) => {
      if (receive === null) {
        transport.onMessage(null);
        return;
      }
      transport.onMessage((message, snapshotPath) => {
        if (admits(message)) receive(message, snapshotPath);
        else if (snapshotPath !== undefined) options.files.remove(snapshotPath);
      });
    },
    sendSnapshot: (message, path, transfer) => transport.sendSnapshot(message, path, transfer),
    onUnreachable: (report) => transport.onUnreachable(report),
  };
}

function isElection({ type }: Message): boolean {
  return type === "pre_vote" || type === "vote" || type === "timeout_now";
}

function isAcknowledgement(message: Message): boolean {
  const isReply = message.type === "append_reply" || message.type === "snapshot_reply";
  return isReply && message.ok && message.matchIndex > 0;
}

function isFromLeader({ type }: Message): boolean {
  return type === "append" || type === "heartbeat" || type === "snapshot";
}

function refusal({ from, to }: Message, term: Term): Message {
  return {
    type: "append_reply",
    from: to,
    to: from,
    term,
    ok: false,
    matchIndex: 0,
    hintIndex: 0,
    hintTerm: 0,
  };
}
