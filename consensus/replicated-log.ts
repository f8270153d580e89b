/**
 * The port everything above the log talks to (R0). Our Raft is its engine; the port is narrow enough for an existing
 * engine to take its place. `R` is what the state machine answers for a command.
 */
export interface ReplicatedLog<R> {
  /** Resolves when the state machine of this node has bound itself to the log and a leader is known or timed out. */
  start(): Promise<void>;
  /** Stops accepting, lets the write in flight become durable, releases the directory lock. */
  stop(): Promise<void>;
  /**
   * Appends a command and resolves with the state machine's answer once it is committed and applied here.
   * Rejects with `NotProposedError` (never entered the log: retry freely) or `OutcomeUnknownError`
   * (may or may not be in the log: retry with the same idempotency key).
   */
  propose(data: Uint8Array): Promise<{ index: number; term: number; result: R }>;
  /** Resolves with an applied index that is at least as new as the read needs. */
  readBarrier(consistency: "stale" | "leader" | "linearizable"): Promise<number>;
  /**
   * Makes `next` the membership, through a joint one where more than one voter comes or goes (Ongaro's thesis, 4.3), and
   * resolves once it is in force, committed and applied here. The one that is in force already is confirmed once more.
   * Rejects like `propose`; also with `NotProposedError` while another change is under way.
   */
  changeMembership(next: MembershipTarget): Promise<{ index: number; term: number }>;
  /**
   * Hands leadership to `target`, or to the voter that has most of the log, and resolves when another node than this one
   * leads (or when `target` is this leader). Rejects with `NotProposedError` when nobody may or does take it in time:
   * then this node leads on.
   */
  transferLeader(target?: number): Promise<{ leaderId: number; term: number }>;
  /**
   * Makes the state durable up to the applied index, which it answers, and lets go of the entries before it that no
   * active member still waits for. Twice does no harm.
   */
  triggerSnapshot(): Promise<number>;
  status(): ReplicatedLogStatus;
}

/** Who shall be a member; ids positive, each once, at least one voter. */
export interface MembershipTarget {
  voters: number[];
  learners: number[];
}

export interface ReplicatedLogStatus {
  nodeId: number;
  role: "leader" | "follower" | "candidate" | "learner";
  leaderId: number | null;
  term: number;
  commitIndex: number;
  appliedIndex: number;
  lastIndex: number;
  firstIndex: number;
  /**
   * The latest round of heartbeats that this node has sent. Who answers a later one than this was there after this status.
   * Absent: the log knows none.
   */
  round?: number;
  /** On a leader: the index of its term's first entry, so what is before it was not of this leadership. Absent or 0: not known. */
  leaderSince?: number;
  members: {
    nodeId: number;
    matchIndex: number;
    voter: boolean;
    active: boolean;
    /** On a leader, of the others: the latest round that it has answered. */
    answeredRound?: number;
  }[];
}

export class NotProposedError extends Error {
  readonly leaderId: number | null;
  constructor(message: string, leaderId: number | null) {
    super(message);
    this.name = "NotProposedError";
    this.leaderId = leaderId;
  }
}
export class OutcomeUnknownError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "OutcomeUnknownError";
  }
}

/**
 * What the log drives. `apply` is synchronous; after a crash the state is what some batch left, with `lastApplied` of that batch,
 * and no older than the last `makeDurable`. When `apply`, `settle`, `makeDurable` or `copyTo` could not write what was applied, it
 * throws, and until a snapshot is installed every one of them does, so that the log ends the node at the next tick and lets go of nothing.
 * Entries arrive in index order without gaps from `lastApplied() + 1`; no-op and membership entries arrive with
 * `data: null` and are answered with `null`.
 */
export interface StateMachine<R> {
  lastApplied(): number;
  apply(entries: readonly { index: number; data: Uint8Array | null }[]): (R | null)[];
  /** Called at each tick: writes down what `apply` has gathered for one commit. Absent: it gathers nothing. */
  settle?(): void;
  /**
   * Makes everything applied survive a power cut; the log calls it before it lets go of applied entries. Absent: each
   * `apply` does so by itself.
   */
  makeDurable?(): void;
  /** Format that a copy would have now; whoever reads others alone refuses it. A command may change it. Absent: 1. */
  readonly snapshotFormat?: number;
  /** Writes a consistent copy of the state to a new file while it goes on being used; answers the index it stands at. */
  copyTo?(path: string): Promise<number>;
  /** Format of a copy that `copyTo` wrote, which the state may have left meanwhile. Absent: 1. */
  copyFormat?(path: string): number;
  /**
   * Replaces the state by such a copy, which it consumes, durably and in one step: a crash leaves the old state or the new
   * one. Throws, having changed nothing, when the file is none, or does not stand at `index`.
   */
  install?(path: string, index: number): void;
  /** Called once, by the log's `stop`, after the last `apply`. */
  close(): void;
}
