import type { Entry, Index, NodeId, RawNode, Term } from "./raft/types.ts";
import { decodeMembership } from "./raft/raw-node.ts";
import type { RaftLogLimits } from "./raft-log-options.ts";
import { type Proposals, REFUSALS, refusalOf } from "./raft-log-proposals.ts";
import { type MembershipTarget, NotProposedError, OutcomeUnknownError } from "./replicated-log.ts";

interface OperationsOptions<R> {
  proposals: Proposals<R>;
  nowMs: () => number;
  /** A membership was applied; its members, those on their way out included. */
  onMembership: (members: readonly NodeId[]) => void;
  isFenced: (member: NodeId) => boolean;
  limits: Pick<RaftLogLimits, "proposeTimeoutMs" | "electionTicks" | "tickMs">;
}
interface Settling {
  /** Index of the joint membership. */
  after: Index;
  deadlineMs: number;
  resolve: (at: { index: number; term: number }) => void;
  reject: (error: Error) => void;
}
interface Transfer {
  deadlineMs: number;
  resolve: (led: { leaderId: number; term: number }) => void;
  reject: (error: Error) => void;
}

/**
 * What operators ask of the log: membership changes and transfers of leadership, and who waits for them. Invariant: a wait
 * ends exactly once: by what it waits for, by its deadline (looked at every tick), or with the log.
 */
export class Operations<R> {
  readonly #node: RawNode;
  readonly #options: OperationsOptions<R>;
  /** Changes whose joint membership is committed and whose final one is not yet. */
  #settling: Settling[] = [];
  #transfers: Transfer[] = [];

  constructor(node: RawNode, options: OperationsOptions<R>) {
    this.#node = node;
    this.#options = options;
  }

  /** As the port says; the caller wakes the driver. */
  async changeMembership(next: MembershipTarget): Promise<{ index: number; term: number }> {
    const { proposals, nowMs, limits } = this.#options;
    const deadlineMs = nowMs() + limits.proposeTimeoutMs;
    const outcome = this.#node.changeMembership(next);
    if (!outcome.ok) throw refusalOf(outcome);
    const isJoint = this.#node.status().membership.outgoing.length > 0;
    // Both may be applied in one batch, so the second wait begins with the first.
    const settled = isJoint ? this.#settled(outcome.index, deadlineMs) : null;
    settled?.catch(() => undefined);
    const { index, term } = await proposals.wait(outcome, deadlineMs);
    return settled ?? { index, term };
  }

  #settled(after: Index, deadlineMs: number): Promise<{ index: number; term: number }> {
    return new Promise((resolve, reject) => {
      this.#settling.push({ after, deadlineMs, resolve, reject });
    });
  }

  /** As the port says; the caller wakes the driver. */
  async transferLeader(target?: NodeId): Promise<{ leaderId: number; term: number }> {
    const { nowMs, limits, isFenced } = this.#options;
    const { id, role, leader, term } = this.#node.status();
    if (role !== "leader") throw new NotProposedError(REFUSALS.not_leader, leader || null);
    const to = target ?? mostCaughtUp(this.#node, isFenced);
    if (to === null) throw new NotProposedError("no other voter is there to lead", id);
    const outcome = this.#node.transferLeader(to);
    if (!outcome.ok) throw refusalOf(outcome);
    if (to === id) return { leaderId: id, term };
    // The core gives up after one election timeout; who was told to stand by then may still win the election.
    const deadlineMs = nowMs() + 2 * limits.electionTicks * limits.tickMs;
    return new Promise((resolve, reject) => {
      this.#transfers.push({ deadlineMs, resolve, reject });
    });
  }

  /** The index up to which every active member has the log; Infinity where no other is. */
  slowestMatch(): Index {
    const active = this.#node.status().progress.filter((member) => member.active);
    return Math.min(Infinity, ...active.map(({ match }) => match));
  }

  applied(entry: Entry): void {
    if (entry.kind !== "membership") return;
    const { voters, outgoing, learners } = decodeMembership(entry.data);
    this.#options.onMembership([...voters, ...outgoing, ...learners]);
    if (this.#settling.length === 0 || outgoing.length > 0) return;
    this.#settling = this.#settling.filter(({ after, resolve }) => {
      if (entry.index <= after) return true;
      resolve({ index: entry.index, term: entry.term });
      return false;
    });
  }

  led(leader: NodeId, term: Term): void {
    if (leader === 0 || leader === this.#node.status().id) return;
    for (const { resolve } of this.#transfers.splice(0)) resolve({ leaderId: leader, term });
  }

  expire(nowMs: number): void {
    const late = "the membership is a joint one and was not settled in time";
    this.#settling = this.#settling.filter((wait) => !ended(wait, nowMs, new OutcomeUnknownError(late)));
    const leader = this.#node.status().leader || null;
    const kept = new NotProposedError("leadership was not taken over in time", leader);
    this.#transfers = this.#transfers.filter((wait) => !ended(wait, nowMs, kept));
  }

  /** The log stops or failed. */
  abandon(reason: string): void {
    for (const { reject } of this.#settling.splice(0)) reject(new OutcomeUnknownError(reason));
    for (const { reject } of this.#transfers.splice(0)) reject(new OutcomeUnknownError(reason));
  }
}

function ended(wait: { deadlineMs: number; reject: (error: Error) => void }, nowMs: number, error: Error) {
  if (wait.deadlineMs > nowMs) return false;
  wait.reject(error);
  return true;
}

/**
 * The other voter that has most of the log, before all one that was heard of lately; null when there is none. A fenced one
 * would never stand, and the others would wait out an election timeout for it.
 */
function mostCaughtUp(node: RawNode, isFenced: (member: NodeId) => boolean): NodeId | null {
  const { progress, membership } = node.status();
  const voters = progress.filter(({ id }) => membership.voters.includes(id) && !isFenced(id));
  const best = voters.toSorted((a, b) => Number(b.active) - Number(a.active) || b.match - a.match)[0];
  return best?.id ?? null;
}
