import type { Membership, NodeId } from "../types.ts";

/** Ids of a membership in ascending order, without repetition. */
export function membersOf(membership: Membership): NodeId[] {
  const ids = new Set([...membership.voters, ...membership.outgoing, ...membership.learners]);
  return [...ids].toSorted((a, b) => a - b);
}

/** A voter of either half: it votes, may campaign, and its match counts. */
export function isVoter(membership: Membership, id: NodeId): boolean {
  return membership.voters.includes(id) || membership.outgoing.includes(id);
}

export function isJoint(membership: Membership): boolean {
  return membership.outgoing.length > 0;
}

/** Whether `id` alone decides everything. */
export function isOnlyVoter(membership: Membership, id: NodeId): boolean {
  return !isJoint(membership) && membership.voters.length === 1 && membership.voters[0] === id;
}

/** Whether someone may ask for it: at least one voter, ids positive, no id twice or in both lists. */
export function isValidTarget(next: { voters: NodeId[]; learners: NodeId[] }): boolean {
  const ids = [...next.voters, ...next.learners];
  return (
    next.voters.length > 0 &&
    new Set(ids).size === ids.length &&
    ids.every((id) => Number.isSafeInteger(id) && id > 0)
  );
}

/**
 * The membership to append on the way from `current` (not joint) to `next`: `next` itself when at most one voter
 * comes or goes, since then any two majorities meet; otherwise the joint one.
 */
export function firstStep(current: Membership, next: { voters: NodeId[]; learners: NodeId[] }): Membership {
  const came = next.voters.filter((id) => !current.voters.includes(id)).length;
  const went = current.voters.filter((id) => !next.voters.includes(id)).length;
  return {
    voters: [...next.voters],
    outgoing: came + went <= 1 ? [] : [...current.voters],
    learners: [...next.learners],
  };
}

/** The membership that ends a joint one. */
export function leaveJoint(joint: Membership): Membership {
  return { voters: joint.voters, outgoing: [], learners: joint.learners };
}
