import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CoreContext } from "./core-context.ts";

/**
 * Whether this node was removed: its id is used up, and it is no member any more or hears from no leader. (Who is left out of
 * a membership is not sent the entry that says so.)
 */
export function isRemoved(core: CoreContext): boolean {
  const { nodeId, leaderId } = core.log.status();
  if (leaderId !== null && core.book.isMember(nodeId)) return false;
  return core.book.recordOf(nodeId)?.removed === true;
}

/** As `isRemoved`, and besides when only the other members have said so: who was down meanwhile has no record of it. */
export function isKnownRemoved(core: CoreContext): boolean {
  return isRemoved(core) || (core.book.heardOfOwnRemoval && core.log.status().leaderId === null);
}

/** A removed node serves nothing: what it has grows old, and nobody would notice. Throws `unavailable`. */
export function refuseWhenRemoved(core: CoreContext): void {
  if (!isRemoved(core)) return;
  throw new ConfluxError(
    "unavailable",
    "this node was removed from the cluster: stop it and remove its data",
  );
}
