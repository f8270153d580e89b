/** Standing for election and voting. Invariant: at most one vote a term, and it leaves the node only when durable. */
import type { Message, NodeId } from "./types.ts";
import { NOBODY } from "./types.ts";
import type { Core } from "./core.ts";
import { membershipOf, sendDurable, setTermAndVote } from "./core.ts";
import { lastIndex, lastTerm } from "./raft-log-view.ts";
import { isVoter, membersOf } from "./membership/membership.ts";
import { jointVote } from "./quorum/joint.ts";
import { holdsPromise } from "./lease.ts";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from "./roles.ts";

type VoteMessage = Extract<Message, { type: "pre_vote" | "vote" }>;
type VoteReply = Extract<Message, { type: "pre_vote_reply" | "vote_reply" }>;

/**
 * Whether this node may stand: a voter of the membership in force, or of an earlier one while it does not know the one
 * in force to be committed. Without the latter, a membership could rest with nodes it leaves out: they may not stand,
 * and refuse their votes to the shorter logs of those who may (Ongaro's thesis, 4.2.2).
 *
 * A learner stands too when that is what it did: a voter whose log ends in a membership that was never committed, and in
 * which the learner votes, may need exactly its vote. It leads until the membership in force is committed, then steps
 * aside. Whoever wins has a majority of voters with shorter logs behind it, so this is as safe as any other election.
 */
export function mayStand(core: Core): boolean {
  if (core.role === "leader") return false;
  return isVoterOfAny(core) || (core.isWanted && membershipOf(core).voters.length > 0);
}

function isVoterOfAny(core: Core): boolean {
  return core.memberships.some((at) => isVoter(at.membership, core.config.id));
}

/** Starts by asking whether it could win; needs no durable vote, so its own answer counts at once. */
export function campaign(core: Core): void {
  if (!mayStand(core)) return;
  becomePreCandidate(core);
  core.votes.set(core.config.id, true);
  if (tally(core) === "pending") askForVotes(core, "pre_vote", false);
}

/**
 * Asks those again who have not answered: a follower whose clock is a tick behind still believed in the leader and said
 * nothing. Waiting for another whole election timeout instead would lengthen every such failover.
 */
export function askAgain(core: Core): void {
  askForVotes(core, "pre_vote", false);
}

/** Stands in the next term. The vote for itself counts in `countOwnVote`, once durable. */
export function stand(core: Core, transfer: boolean): void {
  if (!mayStand(core)) return;
  becomeCandidate(core);
  askForVotes(core, "vote", transfer);
}

function askForVotes(core: Core, type: "pre_vote" | "vote", transfer: boolean): void {
  const term = type === "pre_vote" ? core.term + 1 : core.term;
  const membership = membershipOf(core);
  for (const to of membersOf(membership)) {
    if (to === core.config.id || !isVoter(membership, to) || core.votes.has(to)) continue;
    sendDurable(core, {
      type,
      from: core.config.id,
      to,
      term,
      lastIndex: lastIndex(core.view),
      lastTerm: lastTerm(core.view),
      transfer,
    });
  }
}

/** Acts on the votes so far. */
function tally(core: Core): "won" | "lost" | "pending" {
  const result = jointVote(membershipOf(core), (id) => core.votes.get(id));
  if (result === "won") {
    if (core.role === "pre_candidate") stand(core, false);
    else becomeLeader(core);
  } else if (result === "lost") {
    becomeFollower(core, core.term, NOBODY);
  }
  return result;
}

/** Counts this candidate's vote for itself when it has become durable. */
export function countOwnVote(core: Core): void {
  if (core.role !== "candidate" || core.votes.has(core.config.id)) return;
  if (core.durable.term !== core.term || core.durable.vote !== core.config.id) return;
  core.votes.set(core.config.id, true);
  tally(core);
}

/** Counts a vote that came; only for the election it was asked in. */
export function takeVoteReply(core: Core, message: VoteReply): void {
  const awaited = core.role === "pre_candidate" ? "pre_vote_reply" : "vote_reply";
  if (message.type !== awaited || (core.role !== "candidate" && core.role !== "pre_candidate")) return;
  // A granted pre-vote for an election that is over carries the term of that one.
  if (message.type === "pre_vote_reply" && message.granted && message.term !== core.term + 1) return;
  if (!core.votes.has(message.from)) core.votes.set(message.from, message.granted);
  tally(core);
}

/** Whether a leader was heard of so lately that it helps nobody to replace it. */
export function isInLease(core: Core): boolean {
  const hasLeader = core.leader !== NOBODY && core.electionElapsed < core.config.electionTicks;
  return hasLeader || holdsPromise(core);
}

function isUpToDate(core: Core, message: VoteMessage): boolean {
  const ours = lastTerm(core.view);
  return message.lastTerm > ours || (message.lastTerm === ours && message.lastIndex >= lastIndex(core.view));
}

function isFree(core: Core, candidate: NodeId): boolean {
  return core.vote === candidate || (core.vote === NOBODY && core.leader === NOBODY);
}

/** Answers a request for a vote; the caller has brought the term up already. */
export function answerVote(core: Core, message: VoteMessage): void {
  const free = isFree(core, message.from) || (message.type === "pre_vote" && message.term > core.term);
  // A promise outlives changes of term: also a vote of the present one may have to be refused.
  const isPromised = !message.transfer && holdsPromise(core);
  const upToDate = isUpToDate(core, message);
  if (!upToDate && !isVoterOfAny(core)) core.isWanted = true;
  const granted = free && !isPromised && upToDate;
  if (granted && message.type === "vote") {
    setTermAndVote(core, core.term, message.from);
    core.electionElapsed = 0;
  }
  sendDurable(core, {
    type: message.type === "vote" ? "vote_reply" : "pre_vote_reply",
    from: core.config.id,
    to: message.from,
    // A granted pre-vote speaks of the term asked for, which this node has not entered.
    term: granted ? message.term : core.term,
    granted,
  });
}
