import type { Membership, NodeId } from "../types.ts";
import { majorityReached, majorityVote } from "./majority.ts";
import type { VoteResult } from "./majority.ts";

type Voters = Pick<Membership, "voters" | "outgoing">;

/** The greatest value that both halves of the configuration agree on. With no voters at all: 0. */
export function jointReached(membership: Voters, reached: (id: NodeId) => number): number {
  if (membership.voters.length === 0) return 0;
  return Math.min(majorityReached(membership.voters, reached), majorityReached(membership.outgoing, reached));
}

/** Won when both halves are won, lost as soon as one is. With no voters at all nothing can be won. */
export function jointVote(membership: Voters, voteOf: (id: NodeId) => boolean | undefined): VoteResult {
  if (membership.voters.length === 0) return "lost";
  const incoming = majorityVote(membership.voters, voteOf);
  const outgoing = majorityVote(membership.outgoing, voteOf);
  if (incoming === "lost" || outgoing === "lost") return "lost";
  return incoming === "won" && outgoing === "won" ? "won" : "pending";
}
