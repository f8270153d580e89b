import type { RaftLogObserver } from "../raft-log-options.ts";
import type { Logger } from "./core-context.ts";

/** Tells in the node's log what its replicated log went through: a torn end, who leads, copies that did not arrive. */
export function observeLog(logger: Logger): RaftLogObserver {
  return {
    onRecovered: ({ repaired }) => {
      if (repaired === null) return;
      logger({
        level: "warn",
        msg: "the write-ahead log ended in a write that was never acknowledged: it was cut off",
        file: repaired.file,
        offset: repaired.offset,
        // With the zeros that were written ahead of it.
        bytes_dropped: repaired.bytesDropped,
      });
    },
    onLeadership: ({ term, leaderId }) => {
      const msg =
        leaderId === null ? `no leader is known in term ${term}` : `node ${leaderId} leads term ${term}`;
      logger({ level: "info", msg, term, leader_id: leaderId });
    },
    onSnapshotTrouble: ({ to, reason }) =>
      logger({ level: "warn", msg: "a member could not be sent a snapshot", to, reason }),
  };
}
