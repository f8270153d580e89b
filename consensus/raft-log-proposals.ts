import type { Entry, Index, ProposeOutcome, Term } from "./raft/types.ts";
import { NotProposedError, OutcomeUnknownError } from "./replicated-log.ts";

/** The core's refusals in words. */
export const REFUSALS: Record<Extract<ProposeOutcome, { ok: false }>["reason"], string> = {
  not_leader: "this node does not lead",
  transferring: "leadership is being handed over",
  overloaded: "too much is waiting to be committed",
  change_in_progress: "a membership change is in progress",
  invalid_member: "not a member",
};

export function refusalOf({ reason, leader }: Extract<ProposeOutcome, { ok: false }>): NotProposedError {
  return new NotProposedError(REFUSALS[reason], leader || null);
}

interface Proposal<R> {
  term: Term;
  deadlineMs: number;
  resolve: (answer: { index: number; term: number; result: R }) => void;
  reject: (error: Error) => void;
}

/**
 * Proposals that wait for their entry to be applied, by index. Invariant: a proposal ends exactly once. One entry at most
 * is ever committed at an index, so when that of another term is applied there, ours never will be: not proposed.
 * Until then, nobody can tell: its outcome is unknown.
 */
export class Proposals<R> {
  readonly #waiting = new Map<Index, Proposal<R>>();

  wait(
    at: { index: Index; term: Term },
    deadlineMs: number,
  ): Promise<{ index: number; term: number; result: R }> {
    this.#waiting
      .get(at.index)
      ?.reject(new OutcomeUnknownError("the leader lost the entry before it was committed"));
    // Re-inserted at the end, so that the map stays in order of deadlines.
    this.#waiting.delete(at.index);
    return new Promise((resolve, reject) => {
      this.#waiting.set(at.index, { term: at.term, deadlineMs, resolve, reject });
    });
  }

  applied(entry: Entry, result: R | null, leaderId: number | null): void {
    const proposal = this.#waiting.get(entry.index);
    if (proposal === undefined) return;
    this.#waiting.delete(entry.index);
    if (proposal.term === entry.term) {
      proposal.resolve({ index: entry.index, term: entry.term, result: result as R });
    } else {
      proposal.reject(new NotProposedError("a new leader's entry took the place of the command", leaderId));
    }
  }

  expire(nowMs: number): void {
    for (const [index, proposal] of this.#waiting) {
      if (proposal.deadlineMs > nowMs) return;
      this.#waiting.delete(index);
      proposal.reject(new OutcomeUnknownError("the command was not committed in time"));
    }
  }

  /** The node stops or failed. */
  abandon(reason: string, cause?: unknown): void {
    const error = new OutcomeUnknownError(reason, cause === undefined ? undefined : { cause });
    for (const proposal of this.#waiting.values()) proposal.reject(error);
    this.#waiting.clear();
  }
}
