import type { Message } from "../raft/types.ts";
import type { Transport } from "./transport.ts";

/** A transport on which no election ever comes or goes: of a node that must neither vote nor stand. */
export function fenceTransport(transport: Transport): Transport {
  return {
    send: (messages) => transport.send(messages.filter((message) => !isElection(message))),
    onMessage: (receive) =>
      transport.onMessage(
        receive === null
          ? null
          : (message, snapshotPath) => {
              if (!isElection(message)) receive(message, snapshotPath);
            },
      ),
    sendSnapshot: (message, path) => transport.sendSnapshot(message, path),
    onUnreachable: (report) => transport.onUnreachable(report),
  };
}

function isElection({ type }: Message): boolean {
  return type === "pre_vote" || type === "vote" || type === "timeout_now";
}
