import type { Index, RawNode, Term } from "./raft/types.ts";
import { REFUSALS } from "./raft-log-proposals.ts";
import type { Reads } from "./raft-log-reads.ts";
import { NotProposedError } from "./replicated-log.ts";

interface BarrierOptions {
  node: RawNode;
  reads: Reads;
  applied: { index: Index; term: Term };
  deadlineMs: number;
  /** The core has something to work off. */
  wake: () => void;
}

/**
 * The index that is applied when a read may be answered: `linearizable` reads by a confirmation of a majority or the
 * lease, `leader` ones by what this leader knows to be committed. Throws `NotProposedError` where this node does not lead.
 */
export function readBarrier(
  consistency: "leader" | "linearizable",
  { node, reads, applied, deadlineMs, wake }: BarrierOptions,
): number | Promise<number> {
  const refusal = (): NotProposedError =>
    new NotProposedError(REFUSALS.not_leader, node.leadership().leader || null);
  if (consistency === "linearizable") {
    const leased = node.leaseIndex();
    if (leased !== null && leased <= applied.index) return applied.index;
    if (leased !== null) return reads.reached({ index: leased, term: 0 }, deadlineMs);
    const read = reads.linearizable(deadlineMs, (request) => node.readIndex(request));
    if (read === null) throw refusal();
    wake();
    return read;
  }
  const { role, term, commit } = node.status();
  if (role !== "leader") throw refusal();
  // A new leader knows what was committed before it only when an entry of its own term is.
  if (applied.index >= commit && applied.term === term) return applied.index;
  return reads.reached({ index: commit, term }, deadlineMs);
}
