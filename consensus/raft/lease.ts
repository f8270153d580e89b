/**
 * Reads by lease (Ongaro's thesis, 6.4.1), for clusters that opt in: `config.lease` on every member. A leader that a
 * quorum has acknowledged a heartbeat to knows that no other can be elected for an election timeout after it was sent,
 * so until then its commit index is the newest there is.
 *
 * What makes that true, beyond what quorum reads need:
 * - Who acknowledged votes for nobody (and does not stand) for `electionTicks` of its own ticks. Its term may rise
 *   meanwhile and it may start again, so the promise is kept apart from both, and held from every start.
 * - A lease is measured from when the heartbeat was *sent*, by the leader's clock, at the moment of the read. It ends one
 *   tick early, because a tick of the follower's may follow the heartbeat at once, and `driftTicks` early for the clocks.
 * - Leader transfer asks for votes in spite of promises. From then on the term has no lease: the message that asks may
 *   arrive late, also after the transfer was given up.
 * What breaks it: a member without `lease`, or with fewer `electionTicks` than the leader; clocks that drift further apart than `driftTicks` in an election timeout; a
 * clock that stands still while the process does (a stopped process is covered exactly as far as `nowTicks` goes on
 * counting; ticks that come late only lengthen promises); a driver that ticks faster than time passes.
 */
import type { Index, NodeId } from "./types.ts";
import { NOBODY } from "./types.ts";
import type { Core } from "./core.ts";
import { hasCommittedInTerm, membershipOf, sendNow } from "./core.ts";
import { isOnlyVoter } from "./membership/membership.ts";
import { jointReached } from "./quorum/joint.ts";

/** Ticks after sending a heartbeat in which its acknowledgement gives a lease. Not positive: there are no leases. */
function leaseTicks(core: Core): number {
  const { lease, electionTicks } = core.config;
  return lease === undefined ? 0 : electionTicks - 1 - lease.driftTicks;
}

/** Whether this node has promised a leader, or may have before it started, to vote for nobody else yet. */
export function holdsPromise(core: Core): boolean {
  return core.config.lease !== undefined && core.sinceLeader < core.config.electionTicks;
}

/** A round of heartbeats is about to be sent: gives it a context of its own. */
export function noteHeartbeat(core: Core): void {
  const { lease } = core.config;
  core.readContext += 1;
  if (lease === undefined) return;
  const atTicks = lease.nowTicks();
  core.heartbeatsSent.push({ context: core.readContext, atTicks });
  const goneBefore = atTicks - leaseTicks(core);
  const kept = core.heartbeatsSent.findIndex((sent) => sent.atTicks > goneBefore);
  if (kept > 0) core.heartbeatsSent.splice(0, kept);
}

/** Asks a member to stand at once, whatever it and the others have promised. */
export function sendTimeoutNow(core: Core, to: NodeId): void {
  core.leaseForfeited = true;
  sendNow(core, { type: "timeout_now", from: core.config.id, to, term: core.term });
}

/** The commit index while the lease holds; null when it does not, or this node does not lead for sure. */
export function leaseIndex(core: Core): Index | null {
  const { lease, id } = core.config;
  if (lease === undefined || core.role !== "leader" || !hasCommittedInTerm(core)) return null;
  if (core.leaseForfeited || core.transferee !== NOBODY) return null;
  const membership = membershipOf(core);
  if (isOnlyVoter(membership, id)) return core.view.commit;
  const confirmed = jointReached(membership, (member) =>
    member === id ? core.readContext : (core.progress.get(member)?.readAck ?? 0),
  );
  const sent = core.heartbeatsSent.findLast(({ context }) => context <= confirmed);
  if (sent === undefined || lease.nowTicks() - sent.atTicks >= leaseTicks(core)) return null;
  return core.view.commit;
}
