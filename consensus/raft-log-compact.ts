import type { Membership, SnapshotMeta } from "./raft/types.ts";
import { decodeMembership } from "./raft/raw-node.ts";
import type { RaftLogLimits } from "./raft-log-options.ts";
import type { Wal } from "./storage/wal.ts";

/** The membership in force at `index`: of the newest membership entry up to it, else of the snapshot or the first boot. */
function membershipAt(wal: Wal, index: number): Membership {
  const entries = wal.log.entries(wal.log.firstIndex(), index + 1, Infinity);
  const newest = entries.findLast((entry) => entry.kind === "membership");
  if (newest !== undefined) return decodeMembership(newest.data);
  return baseMembership(wal);
}

/** What the log's entries build on. Throws for a log that was never initialised. */
export function baseMembership(wal: Wal): Membership {
  const membership = wal.log.snapshot()?.membership ?? wal.cluster()?.membership;
  if (membership === undefined) throw new Error("the log has no membership");
  return membership;
}

/**
 * Where to compact to, or null when there is no need yet. The newest entries are kept for whoever lags a little. Only a
 * node without peers compacts: a peer that lags behind the compacted part would need a snapshot, and none is sent yet.
 */
export function planCompaction(
  wal: Wal,
  at: { appliedIndex: number; members: number },
  limits: Pick<RaftLogLimits, "retainedBytesMax" | "retainedBytesAfter">,
): SnapshotMeta | null {
  if (at.members > 1 || wal.retainedBytes() <= limits.retainedBytesMax) return null;
  const index = Math.min(at.appliedIndex, wal.indexBefore(limits.retainedBytesAfter));
  const term = wal.log.term(index);
  if (index < wal.log.firstIndex() || term === undefined) return null;
  return { index, term, membership: membershipAt(wal, index) };
}
