/** The state of one node, which the verbs of this folder read and change. Nothing here decides anything. */
import type {
  HardState,
  Index,
  LogReader,
  Membership,
  Message,
  NodeId,
  RaftConfig,
  ReadState,
  Role,
  Term,
} from "./types.ts";
import { NOBODY } from "./types.ts";
import { invariant } from "./invariant.ts";
import { createLogView, termAt } from "./raft-log-view.ts";
import type { RaftLogView } from "./raft-log-view.ts";
import type { Progress } from "./tracker/progress.ts";

/** A membership and the entry that brought it; the first of the list is the committed one. */
export interface MembershipAt {
  index: Index;
  membership: Membership;
}

/** Reads that wait for a quorum to confirm the leader by answering heartbeats with `context` or a later one. */
export interface ReadGroup {
  context: number;
  index: Index;
  requests: number[];
}

export interface Core {
  readonly config: RaftConfig;
  readonly view: RaftLogView;
  term: Term;
  vote: NodeId;
  role: Role;
  leader: NodeId;
  /** Term and vote known durable: a vote for oneself counts only from here. */
  durable: { term: Term; vote: NodeId };
  /** Ascending by index, never empty; the last is in force, committed or not. */
  memberships: MembershipAt[];
  /** On a leader: one for each member, itself included; else empty. */
  progress: Map<NodeId, Progress>;
  /** On a (pre-)candidate: the votes that came. */
  votes: Map<NodeId, boolean>;
  electionElapsed: number;
  heartbeatElapsed: number;
  electionTimeout: number;
  /** On a leader: to whom leadership is on its way. */
  transferee: NodeId;
  uncommittedBytes: number;
  /** On a leader: entries or a commit index wait to be sent; done once for each batch. */
  broadcastWanted: boolean;
  /** On a leader: the commit index moved since the last broadcast, and waits for company (RaftConfig.commitNotice). */
  commitUntold: boolean;
  /** Requests not yet in a group; groups wait in order. */
  readsWaiting: number[];
  readGroups: ReadGroup[];
  readContext: number;
  /** Index of the first entry of the term in which this node led last. */
  leaderSince: Index;
  readStates: ReadState[];
  /** A non-voter's: it refused a vote to a shorter log, and has heard no leader since (`mayStand`). */
  isWanted: boolean;
  /** Ticks since a leader was heard, counted on through changes of term, and from the start as if one had been heard then. */
  sinceLeader: number;
  /** Ticks since this node started; only looked at for what it may have promised before. */
  sinceStart: number;
  /** On a leader with leases: when each heartbeat that could still give one was sent, ascending. */
  heartbeatsSent: { context: number; atTicks: number }[];
  /** On a leader: someone may have been asked to take over, so there is no lease any more in this term. */
  leaseForfeited: boolean;
  messagesNow: Message[];
  messages: Message[];
  /** The highest index handed out in a batch's `committed`. */
  handedOut: Index;
  applied: Index;
}

export function createCore(options: {
  config: RaftConfig;
  log: LogReader;
  hardState: HardState;
  memberships: MembershipAt[];
  applied: Index;
}): Core {
  const { config, log, hardState, applied } = options;
  const commit = Math.max(hardState.commit, applied, log.snapshot()?.index ?? 0);
  invariant(commit <= log.lastIndex(), () => `commit ${commit} is past the durable log (${log.lastIndex()})`);
  // A batch torn between its entries and its hard state leaves entries of a later term: no vote was given in it.
  const logTerm = log.term(log.lastIndex()) ?? 0;
  const torn = logTerm > hardState.term;
  const term = torn ? logTerm : hardState.term;
  const vote = torn ? NOBODY : hardState.vote;
  return {
    config,
    view: createLogView(log, commit),
    term,
    vote,
    role: "follower",
    leader: NOBODY,
    durable: { term: hardState.term, vote: hardState.vote },
    memberships: options.memberships,
    progress: new Map(),
    votes: new Map(),
    electionElapsed: 0,
    heartbeatElapsed: 0,
    electionTimeout: config.electionTicks,
    transferee: NOBODY,
    uncommittedBytes: 0,
    broadcastWanted: false,
    commitUntold: false,
    readsWaiting: [],
    readGroups: [],
    readContext: 0,
    leaderSince: 0,
    readStates: [],
    isWanted: false,
    sinceLeader: 0,
    sinceStart: 0,
    heartbeatsSent: [],
    leaseForfeited: false,
    messagesNow: [],
    messages: [],
    handedOut: applied,
    applied,
  };
}

/** The membership in force: the newest in the log, committed or not. */
export function membershipOf(core: Core): Membership {
  const newest = core.memberships.at(-1);
  invariant(newest !== undefined, () => "a node without a membership");
  return newest.membership;
}

/** Whether this leader has committed an entry of its own term; before that it knows neither commit nor membership for sure. */
export function hasCommittedInTerm(core: Core): boolean {
  return core.view.commit > 0 && termAt(core.view, core.view.commit) === core.term;
}

/** Sends once the batch is durable: votes, answers, everything that promises something. */
export function sendDurable(core: Core, message: Message): void {
  core.messages.push(message);
}

/**
 * Sends while the batch is being made durable: only what a leader says, whose term and vote are durable already, and
 * answers that promise nothing beyond a durable term.
 */
export function sendNow(core: Core, message: Message): void {
  core.messagesNow.push(message);
}

/** Enters a term, or records a vote in the present one. Throws when a term would go back or a vote be given twice. */
export function setTermAndVote(core: Core, term: Term, vote: NodeId): void {
  invariant(term >= core.term, () => `term would go back from ${core.term} to ${term}`);
  invariant(
    term > core.term || core.vote === NOBODY || core.vote === vote,
    () => `second vote in term ${term}: ${core.vote}, then ${vote}`,
  );
  core.term = term;
  core.vote = vote;
}
