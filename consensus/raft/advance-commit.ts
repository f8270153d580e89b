/** How a leader's commit index moves, and what follows from it. */
import { NOBODY } from "./types.ts";
import type { Core } from "./core.ts";
import { hasCommittedInTerm, membershipOf } from "./core.ts";
import { appendOwn } from "./append-own.ts";
import { sendTimeoutNow } from "./lease.ts";
import { commitTo, lastIndex, termAt } from "./raft-log-view.ts";
import { jointReached } from "./quorum/joint.ts";
import { isJoint, isVoter, leaveJoint } from "./membership/membership.ts";
import { encodeMembership } from "./membership/membership-codec.ts";
import { pruneMemberships } from "./membership/track-membership.ts";
import { becomeFollower } from "./roles.ts";
import { broadcastAppends } from "./send-append.ts";

/**
 * Commits what a quorum has made durable, if that is of this leader's own term: an entry of an earlier term is
 * committed only by one of this term above it (Raft paper, figure 8).
 */
export function advanceCommit(core: Core): void {
  if (core.role !== "leader") return;
  const reached = jointReached(membershipOf(core), (id) => core.progress.get(id)?.match ?? 0);
  if (termAt(core.view, reached) !== core.term) return;
  if (!commitTo(core.view, reached)) return;
  if (core.config.commitNotice === "when_told") core.commitUntold = true;
  else core.broadcastWanted = true;
  pruneMemberships(core);
  afterCommit(core);
}

/** The newest membership is committed: a joint one is left, and a leader who is not in it goes. */
function afterCommit(core: Core): void {
  const newest = core.memberships.at(-1);
  if (newest === undefined || newest.index > core.view.commit || !hasCommittedInTerm(core)) return;
  if (isJoint(newest.membership)) {
    appendOwn(core, "membership", encodeMembership(leaveJoint(newest.membership)));
    advanceCommit(core);
    return;
  }
  if (!isVoter(newest.membership, core.config.id)) stepAside(core);
}

/** Tells the rest that it is committed, asks the best follower that may stand to do so, and follows. */
function stepAside(core: Core): void {
  broadcastAppends(core);
  const last = lastIndex(core.view);
  for (const id of membershipOf(core).voters) {
    if (core.progress.get(id)?.match !== last || core.config.isFenced?.(id) === true) continue;
    sendTimeoutNow(core, id);
    break;
  }
  becomeFollower(core, core.term, NOBODY);
}
