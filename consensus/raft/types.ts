/**
 * The vocabulary of the Raft core (Ongaro & Ousterhout 2014; Ongaro's thesis for PreVote, ReadIndex, leader transfer).
 * Terms, indexes and node ids are safe integers; index 0 and term 0 are "before the log"; node id 0 is "nobody".
 */
export type NodeId = number;
export type Index = number;
export type Term = number;
export const NOBODY: NodeId = 0;

export type EntryKind = "command" | "noop" | "membership";
export interface Entry {
  index: Index;
  term: Term;
  kind: EntryKind;
  /** Opaque to the core for commands; an encoded Membership for membership entries; empty for no-ops. */
  data: Uint8Array;
}

/** Voters of the present configuration; of the outgoing one while a joint change runs; and learners. */
export interface Membership {
  voters: NodeId[];
  outgoing: NodeId[];
  learners: NodeId[];
}

/** What must be durable before any message that depends on it leaves the node. */
export interface HardState {
  term: Term;
  vote: NodeId;
  commit: Index;
}

/** What a snapshot stands for: all entries up to `index` are in it. Its bytes travel outside the core. */
export interface SnapshotMeta {
  index: Index;
  term: Term;
  membership: Membership;
}

export type Role = "follower" | "pre_candidate" | "candidate" | "leader";

interface Envelope {
  from: NodeId;
  to: NodeId;
  term: Term;
}
export type Message =
  | (Envelope & { type: "pre_vote" | "vote"; lastIndex: Index; lastTerm: Term; transfer: boolean })
  | (Envelope & { type: "pre_vote_reply" | "vote_reply"; granted: boolean })
  | (Envelope & { type: "append"; prevIndex: Index; prevTerm: Term; commit: Index; entries: Entry[] })
  | (Envelope & { type: "append_reply"; ok: boolean; matchIndex: Index; hintIndex: Index; hintTerm: Term })
  | (Envelope & { type: "heartbeat"; commit: Index; readContext: number })
  /** `promiseTicks`: for so long, by its own ticks, it votes for nobody else (lease.ts); 0 when it promises nothing. */
  | (Envelope & { type: "heartbeat_reply"; readContext: number; promiseTicks: number })
  | (Envelope & { type: "snapshot"; meta: SnapshotMeta })
  | (Envelope & { type: "snapshot_reply"; ok: boolean; matchIndex: Index })
  | (Envelope & { type: "timeout_now" });

/** A read that may be served once the state machine has applied `index`. `request` is the caller's own number. */
export interface ReadState {
  request: number;
  index: Index;
}

/**
 * One batch of work for the driver. In this order: (1) send `messagesNow` (a leader's appends: its own fsync runs in
 * parallel with replication); (2) make `hardState`, `snapshot` and `entries` durable; (3) call `persisted(batch)`,
 * which counts the node's own vote and match; (4) send `messages`; (5) apply `committed`. A driver may overlap (5)
 * with the next batch, and with (2) for what lies before `entries[0]`, which was durable already; never (2) with (4).
 */
export interface Batch {
  hardState: HardState | null;
  /** To append, overwriting any durable suffix from `entries[0].index` on. */
  entries: Entry[];
  /** To install before anything else: it replaces the durable log, also what lies behind its index. */
  snapshot: SnapshotMeta | null;
  messagesNow: Message[];
  messages: Message[];
  committed: Entry[];
  readStates: ReadState[];
}

/** The durable log as the core reads it. Synchronous: the driver keeps what is not compacted within reach. */
export interface LogReader {
  firstIndex(): Index;
  lastIndex(): Index;
  /** Term of a durable entry, of the snapshot's index, or undefined when it is compacted or not there. */
  term(index: Index): Term | undefined;
  /** Entries of [from, to), cut after `bytesMax` but never empty when `from` exists. */
  entries(from: Index, to: Index, bytesMax: number): Entry[];
  snapshot(): SnapshotMeta | null;
}

export interface RaftConfig {
  id: NodeId;
  electionTicks: number;
  heartbeatTicks: number;
  /** Bytes of entries in one append message. */
  appendBytesMax: number;
  /** Append messages on the way to one follower. */
  inflightMax: number;
  /** Bytes of entries on the way to one follower; with room left one more append goes out, whatever its size. */
  inflightBytesMax: number;
  /** Bytes of proposed, uncommitted entries; past it proposals are refused. */
  uncommittedBytesMax: number;
  /** A number in [0, 1): the only source of chance (election timeouts). */
  random: () => number;
  /**
   * `when_told`: a commit index that moved travels with the next append or heartbeat, or when the driver says so
   * (`tellCommit`), and not in a message of its own, which would double the messages of a lone writer.
   */
  commitNotice?: "at_once" | "when_told";
  /** Absent: reads always take a round (`readIndex`), and nothing is promised to leaders that read by lease (lease.ts). */
  lease?: LeaseConfig;
  /**
   * Whether another member is known never to vote or stand: a leader that leaves the membership asks another to stand. Looked
   * at only for that choice, which no safety hangs on. Absent: none is.
   */
  isFenced?: (id: NodeId) => boolean;
}

/** Reads without a round, for clusters whose clocks can be trusted that far (lease.ts says how far). */
export interface LeaseConfig {
  /** The driver's monotonic clock in ticks, with fractions. It must count the time in which the process was stopped. */
  nowTicks: () => number;
  /** How far the clock of a follower may run ahead of the leader's while a promise lasts. */
  driftTicks: number;
}

export type ProposeOutcome =
  | { ok: true; index: Index; term: Term }
  | {
      ok: false;
      reason: "not_leader" | "transferring" | "overloaded" | "change_in_progress" | "invalid_member";
      leader: NodeId;
    };

export interface RaftStatus {
  id: NodeId;
  role: Role;
  term: Term;
  vote: NodeId;
  leader: NodeId;
  commit: Index;
  applied: Index;
  lastIndex: Index;
  membership: Membership;
  /** On a leader: the index of its term's first entry; 0 elsewhere. */
  leaderSince: Index;
  /** The latest round of heartbeats that this node has sent; each has a number of its own. */
  round: number;
  /** On a leader: how far each other member is. */
  progress: {
    id: NodeId;
    match: Index;
    next: Index;
    state: "probe" | "replicate" | "snapshot";
    active: boolean;
    /** The latest round of heartbeats that it has answered to this leader; 0: none. */
    answeredRound: number;
  }[];
}

/** The deterministic core: same inputs, same outputs. `consensus/raft/raw-node.ts` has the one implementation. */
export interface RawNode {
  tick(): void;
  step(message: Message): void;
  propose(data: Uint8Array): ProposeOutcome;
  /** Proposes a membership; the core goes through a joint configuration by itself. */
  changeMembership(next: { voters: NodeId[]; learners: NodeId[] }): ProposeOutcome;
  transferLeader(target: NodeId): ProposeOutcome;
  /** Asks for a linearizable read; answered later in a batch's `readStates`. False: not the leader, ask there. */
  readIndex(request: number): boolean;
  /** What a linearizable read may be served at right now, by the leader's lease; null: without a lease, use `readIndex`. */
  leaseIndex(): Index | null;
  /** Starts an election now (also the way a single node begins), unless a leader holds this node's promise (lease.ts). */
  campaign(): void;
  hasReady(): boolean;
  /**
   * What need not wait for the batch that is out: reads that ask for their confirmation or have it, and messages that
   * promise nothing that is not durable. May be called at any time; null when there is nothing.
   */
  takeNow(): { messages: Message[]; readStates: ReadState[] } | null;
  /** With `when_told`: tells the followers of a commit index that they have not been told of. */
  tellCommit(): void;
  /** Whether a commit index waits to be told. */
  commitIsUntold(): boolean;
  /** Takes the next batch; must be followed by `persisted` for it before the next `ready`. */
  ready(): Batch;
  persisted(batch: Batch): void;
  /** The state machine has applied everything up to `index`. */
  applied(index: Index): void;
  /** The driver sent (or failed to send) a snapshot to a follower. */
  reportSnapshot(to: NodeId, ok: boolean): void;
  reportUnreachable(id: NodeId): void;
  status(): RaftStatus;
  /** The part of `status` that is asked for at every turn. */
  leadership(): { term: Term; leader: NodeId };
}
