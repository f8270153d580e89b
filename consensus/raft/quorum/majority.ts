import type { NodeId } from "../types.ts";

export type VoteResult = "won" | "lost" | "pending";

/**
 * The greatest value that a majority of `voters` has reached; Infinity for no voters, so that an empty half of a
 * joint configuration never holds the other back. `reached` answers 0 for a voter nothing is known of.
 */
export function majorityReached(voters: readonly NodeId[], reached: (id: NodeId) => number): number {
  const [only] = voters;
  if (only === undefined) return Infinity;
  if (voters.length === 1) return reached(only);
  const values = voters.map(reached).toSorted((a, b) => a - b);
  return values[voters.length - (Math.floor(voters.length / 2) + 1)] ?? 0;
}

/** What the votes so far mean; an absent vote is still to come. No voters: won, for the same reason as above. */
export function majorityVote(
  voters: readonly NodeId[],
  voteOf: (id: NodeId) => boolean | undefined,
): VoteResult {
  if (voters.length === 0) return "won";
  const needed = Math.floor(voters.length / 2) + 1;
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = voteOf(id);
    if (vote === undefined) missing += 1;
    else if (vote) granted += 1;
  }
  if (granted >= needed) return "won";
  return granted + missing >= needed ? "pending" : "lost";
}
