/**
 * What goes out of turn. Reads wait for no disk: neither a leader's, which asks for their confirmation and takes it while
 * a batch is being synced, nor a follower's, which gives it. And a commit index that moved waits a little for entries to
 * travel with, because a message of its own would double the messages of a lone writer.
 */
import type { RawNode } from "./raft/types.ts";
import type { ResolvedOptions } from "./raft-log-options.ts";

type UrgentOptions = Pick<ResolvedOptions<unknown>, "clock" | "host" | "limits">;
interface UrgentActs {
  /** Runs `act` on the core, unless the log has ended, and looks after what came of it. */
  guard: (act: () => void) => void;
  /** Sends and answers what the core has out of turn. Never throws. */
  release: () => void;
}

export class Urgent {
  readonly #node: RawNode;
  readonly #options: UrgentOptions;
  readonly #acts: UrgentActs;
  #scheduled = false;
  #closed = false;
  #cancelNotice: (() => void) | null = null;

  constructor(node: RawNode, options: UrgentOptions, acts: UrgentActs) {
    this.#node = node;
    this.#options = options;
    this.#acts = acts;
  }

  /** In a later turn, so that reads of one turn share a round. */
  soon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.host.nextTurn(() => {
      this.#scheduled = false;
      if (!this.#closed) this.#acts.release();
    });
  }

  /** When no entries have told the followers of the commit index by then, a message does. */
  noticeCommit(): void {
    if (!this.#node.commitIsUntold()) this.#dropNotice();
    else if (this.#cancelNotice === null) this.#noticeLater();
  }

  #noticeLater(): void {
    const cancel = this.#options.clock.every(this.#options.limits.commitNoticeMs, () => {
      cancel();
      this.#cancelNotice = null;
      this.#acts.guard(() => this.#node.tellCommit());
    });
    this.#cancelNotice = cancel;
  }

  close(): void {
    this.#closed = true;
    this.#dropNotice();
  }

  /** Nothing waits to be told any more; the next commit has its own time to wait. */
  #dropNotice(): void {
    this.#cancelNotice?.();
    this.#cancelNotice = null;
  }
}
