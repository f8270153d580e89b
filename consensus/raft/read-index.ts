/**
 * Linearizable reads without a log entry (Ongaro's thesis, 6.4). A read gets the leader's commit index, and is answered
 * once a quorum has confirmed, after the read came, that this is still the leader. What breaks it: answering before an
 * entry of the own term is committed, or counting a heartbeat answer to an earlier context.
 */
import type { Core } from "./core.ts";
import { hasCommittedInTerm, membershipOf } from "./core.ts";
import { isOnlyVoter } from "./membership/membership.ts";
import { jointReached } from "./quorum/joint.ts";
import { broadcastHeartbeats } from "./send-append.ts";

/** Whether `flushReads` would do something. */
export function hasReadsToFlush(core: Core): boolean {
  return core.readsWaiting.length > 0 && core.role === "leader" && hasCommittedInTerm(core);
}

/** Makes one group of all reads that wait and asks for its confirmation; a single voter confirms itself. */
export function flushReads(core: Core): void {
  if (!hasReadsToFlush(core)) return;
  core.readContext += 1;
  core.readGroups.push({ context: core.readContext, index: core.view.commit, requests: core.readsWaiting });
  core.readsWaiting = [];
  if (isOnlyVoter(membershipOf(core), core.config.id)) confirmReads(core);
  else broadcastHeartbeats(core);
}

/** Answers the groups that a quorum has confirmed. A later confirmation covers the groups before it. */
export function confirmReads(core: Core): void {
  if (core.readGroups.length === 0) return;
  const confirmed = jointReached(membershipOf(core), (id) =>
    id === core.config.id ? core.readContext : (core.progress.get(id)?.readAck ?? 0),
  );
  while ((core.readGroups[0]?.context ?? Infinity) <= confirmed) {
    const group = core.readGroups.shift();
    for (const request of group?.requests ?? []) {
      core.readStates.push({ request, index: group?.index ?? 0 });
    }
  }
}
