import type { NodeId, Term } from "./types.ts";
import { NOBODY } from "./types.ts";
import type { Core } from "./core.ts";
import { setTermAndVote } from "./core.ts";
import { invariant } from "./invariant.ts";
import { stableIndex } from "./raft-log-view.ts";
import { syncProgress } from "./membership/track-membership.ts";
import { appendOwn } from "./append-own.ts";

const NO_DATA = new Uint8Array(0);

function reset(core: Core): void {
  const { electionTicks, random } = core.config;
  core.leader = NOBODY;
  core.electionElapsed = 0;
  core.heartbeatElapsed = 0;
  core.electionTimeout = electionTicks + Math.floor(random() * electionTicks);
  core.transferee = NOBODY;
  core.uncommittedBytes = 0;
  core.broadcastWanted = false;
  core.readsWaiting = [];
  core.readGroups = [];
  core.heartbeatsSent = [];
  core.leaseForfeited = false;
  core.progress = new Map();
  core.votes = new Map();
}

/** Follows `leader` (or nobody yet) in `term`. The vote stays when the term does. */
export function becomeFollower(core: Core, term: Term, leader: NodeId): void {
  setTermAndVote(core, term, term > core.term ? NOBODY : core.vote);
  reset(core);
  core.role = "follower";
  core.leader = leader;
}

/** Asks whether it could win, without disturbing anyone: neither term nor vote change. */
export function becomePreCandidate(core: Core): void {
  invariant(core.role !== "leader", () => "a leader campaigns");
  reset(core);
  core.role = "pre_candidate";
}

export function becomeCandidate(core: Core): void {
  invariant(core.role !== "leader", () => "a leader campaigns");
  setTermAndVote(core, core.term + 1, core.config.id);
  reset(core);
  core.role = "candidate";
}

/** Leads from here: an empty entry of the new term is what lets entries of earlier terms commit. */
export function becomeLeader(core: Core): void {
  invariant(core.role === "candidate", () => `a ${core.role} becomes leader`);
  reset(core);
  core.role = "leader";
  core.leader = core.config.id;
  syncProgress(core);
  for (const progress of core.progress.values()) progress.active = true;
  const own = core.progress.get(core.config.id);
  if (own !== undefined) own.match = stableIndex(core.view);
  core.leaderSince = appendOwn(core, "noop", NO_DATA).index;
}
