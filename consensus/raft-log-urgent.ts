/**
 * What goes out of turn. Reads wait for no disk: neither a leader's, which asks for their confirmation and takes it while
 * a batch is being synced, nor a follower's, which gives it. And a commit index that moved waits a little for entries to
 * travel with, because a message of its own would double the messages of a lone writer.
 */
import type { Message, RawNode, ReadState } from "./raft/types.ts";
import type { Clock, RaftLogHost } from "./raft-log-options.ts";

interface UrgentOptions {
  clock: Pick<Clock, "every">;
  host: Pick<RaftLogHost, "nextTurn">;
  commitNoticeMs: number;
  /** Runs `act` on the core, unless the log has ended, and looks after what came of it. */
  guard: (act: () => void) => void;
  /** Sends and answers at once. */
  release: (messages: readonly Message[], readStates: readonly ReadState[]) => void;
}

export class Urgent {
  readonly #node: RawNode;
  readonly #options: UrgentOptions;
  #scheduled = false;
  #cancelNotice: (() => void) | null = null;

  constructor(node: RawNode, options: UrgentOptions) {
    this.#node = node;
    this.#options = options;
  }

  /** In a later turn, so that reads of one turn share a round. */
  soon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.host.nextTurn(() => {
      this.#scheduled = false;
      const now = this.#node.takeNow();
      if (now !== null) this.#options.release(now.messages, now.readStates);
    });
  }

  /** When no entries have told the followers of the commit index by then, a message does. */
  noticeCommit(): void {
    if (this.#cancelNotice !== null || !this.#node.commitIsUntold()) return;
    const cancel = this.#options.clock.every(this.#options.commitNoticeMs, () => {
      cancel();
      this.#cancelNotice = null;
      this.#options.guard(() => this.#node.tellCommit());
    });
    this.#cancelNotice = cancel;
  }

  close(): void {
    this.#cancelNotice?.();
  }
}
