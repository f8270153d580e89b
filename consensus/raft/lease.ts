/**
 * Reads by lease (Ongaro's thesis, 6.4.1), for clusters that opt in: `config.lease`. A leader that a quorum has acknowledged
 * a heartbeat to knows that no other can be elected while those who acknowledged keep what they promised by it, so until
 * then its commit index is the newest there is.
 *
 * What makes that true, beyond what quorum reads need:
 * - Who acknowledges says for how many ticks it will vote for nobody and not stand: its own `electionTicks`, and
 *   LEASE_PROMISE_TICKS_MAX at most; 0 without `lease`, or of a build that does not say. The leader counts each member's
 *   acknowledgement for as long as that member said, whatever its own settings are, so members may differ in them.
 * - The promise is kept in spite of changes of term and of a new start, and so apart from both: a node that starts does not
 *   know what it promised, nor with which settings, and keeps the longest promise that there is.
 * - A lease is measured from when the heartbeat was *sent*, by the leader's clock, at the moment of the read. It ends one
 *   tick early, because a tick of the follower's may follow the heartbeat at once, and `driftTicks` early for the clocks.
 * - Leader transfer asks for votes in spite of promises. From then on the term has no lease: the message that asks may
 *   arrive late, also after the transfer was given up.
 * What breaks it: clocks that drift further apart than `driftTicks` while a promise lasts; ticks of different lengths on two
 * members; a member that starts again without `lease` sooner than LEASE_PROMISE_TICKS_MAX after it stopped; a clock that
 * stands still while the process does (a stopped process is covered exactly as far as `nowTicks` goes on counting; ticks
 * that come late only lengthen promises); a driver that ticks faster than time passes.
 */
import type { Index, LeaseConfig, NodeId } from "./types.ts";
import { NOBODY } from "./types.ts";
import type { Core } from "./core.ts";
import { hasCommittedInTerm, membershipOf, sendNow } from "./core.ts";
import { isOnlyVoter } from "./membership/membership.ts";
import { jointReached } from "./quorum/joint.ts";
import type { Progress } from "./tracker/progress.ts";

/** No promise lasts longer. A round of heartbeats renews it every tick or so: more would only lengthen starts. */
export const LEASE_PROMISE_TICKS_MAX = 10;

/** What this node promises by each acknowledgement of a heartbeat: so many of its ticks it votes for nobody. 0: nothing. */
export function promiseTicks({ config }: Core): number {
  return config.lease === undefined ? 0 : Math.min(config.electionTicks, LEASE_PROMISE_TICKS_MAX);
}

/** Whether this node has promised a leader, or may have before it started, to vote for nobody else yet. */
export function holdsPromise(core: Core): boolean {
  if (core.config.lease === undefined) return false;
  return core.sinceLeader < core.config.electionTicks || core.sinceStart < LEASE_PROMISE_TICKS_MAX;
}

/** Whether a promise keeps this node from standing; with nobody to vote for there is none to keep. */
export function isBound(core: Core): boolean {
  return holdsPromise(core) && !isOnlyVoter(membershipOf(core), core.config.id);
}

/** How much longer than otherwise the first election waits: past the promise, and members still by different times. */
export function startDelayTicks({ config }: Core): number {
  return config.lease === undefined ? 0 : Math.max(0, LEASE_PROMISE_TICKS_MAX - config.electionTicks);
}

/** Ticks after sending a heartbeat in which a promise by it gives a lease. Not positive: it gives none. */
function leaseTicks({ driftTicks }: LeaseConfig, promise: number): number {
  return promise - 1 - driftTicks;
}

/** A round of heartbeats is about to be sent: gives it a context of its own. */
export function noteHeartbeat(core: Core): void {
  const { lease } = core.config;
  core.readContext += 1;
  if (lease === undefined) return;
  const atTicks = lease.nowTicks();
  core.heartbeatsSent.push({ context: core.readContext, atTicks });
  const goneBefore = atTicks - leaseTicks(lease, LEASE_PROMISE_TICKS_MAX);
  const kept = core.heartbeatsSent.findIndex((sent) => sent.atTicks > goneBefore);
  if (kept > 0) core.heartbeatsSent.splice(0, kept);
}

/** A member has acknowledged the round of heartbeats `context`, and promised what it says. */
export function notePromise(
  core: Core,
  progress: Progress,
  { context, promise }: { context: number; promise: number },
): void {
  const { lease } = core.config;
  if (lease === undefined) return;
  const sent = core.heartbeatsSent.findLast((round) => round.context <= context);
  // Of a longer one a new start would keep no more than this.
  const kept = Math.min(promise, LEASE_PROMISE_TICKS_MAX);
  progress.leaseEndsAtTicks = sent === undefined ? -Infinity : sent.atTicks + leaseTicks(lease, kept);
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
  const endsAtTicks = jointReached(membership, (member) =>
    member === id ? Infinity : (core.progress.get(member)?.leaseEndsAtTicks ?? -Infinity),
  );
  return lease.nowTicks() < endsAtTicks ? core.view.commit : null;
}
