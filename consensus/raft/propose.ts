/** What a leader takes from its callers. */
import type { NodeId, ProposeOutcome } from "./types.ts";
import { NOBODY } from "./types.ts";
import type { Core } from "./core.ts";
import { hasCommittedInTerm, membershipOf } from "./core.ts";
import { appendOwn } from "./append-own.ts";
import { sendTimeoutNow } from "./lease.ts";
import { entryBytes, lastIndex } from "./raft-log-view.ts";
import { firstStep, isJoint, isValidTarget } from "./membership/membership.ts";
import { encodeMembership } from "./membership/membership-codec.ts";
import { sendAppends } from "./send-append.ts";

type Refusal = Extract<ProposeOutcome, { ok: false }>["reason"];

function refuse(core: Core, reason: Refusal): ProposeOutcome {
  return { ok: false, reason, leader: core.leader };
}

/** Why nothing may be proposed now, whatever it is; null when it may. */
function whyNot(core: Core): Refusal | null {
  if (core.role !== "leader") return "not_leader";
  return core.transferee === NOBODY ? null : "transferring";
}

export function proposeCommand(core: Core, data: Uint8Array): ProposeOutcome {
  const refusal = whyNot(core);
  if (refusal !== null) return refuse(core, refusal);
  const bytes = entryBytes({ index: 0, term: 0, kind: "command", data });
  // One proposal is always let in, or one larger than the limit could never be.
  if (core.uncommittedBytes > 0 && core.uncommittedBytes + bytes > core.config.uncommittedBytesMax) {
    return refuse(core, "overloaded");
  }
  core.uncommittedBytes += bytes;
  const entry = appendOwn(core, "command", data);
  return { ok: true, index: entry.index, term: entry.term };
}

/**
 * Appends the first step towards `next`. One change at a time, and only when an entry of this term is committed: else
 * two leaders could each change the membership they inherited, and neither see the other's (Ongaro's note of 2015).
 */
export function proposeMembership(
  core: Core,
  next: { voters: NodeId[]; learners: NodeId[] },
): ProposeOutcome {
  if (!isValidTarget(next)) return refuse(core, "invalid_member");
  const refusal = whyNot(core);
  if (refusal !== null) return refuse(core, refusal);
  const current = membershipOf(core);
  const newestIndex = core.memberships.at(-1)?.index ?? 0;
  if (isJoint(current) || newestIndex > core.view.commit || !hasCommittedInTerm(core)) {
    return refuse(core, "change_in_progress");
  }
  const entry = appendOwn(core, "membership", encodeMembership(firstStep(current, next)));
  return { ok: true, index: entry.index, term: entry.term };
}

/** Stops proposals and hands leadership over as soon as `target` has the whole log; gives up after an election timeout. */
export function proposeTransfer(core: Core, target: NodeId): ProposeOutcome {
  if (core.role !== "leader") return refuse(core, "not_leader");
  if (core.transferee !== NOBODY && core.transferee !== target) return refuse(core, "transferring");
  const done: ProposeOutcome = { ok: true, index: lastIndex(core.view), term: core.term };
  if (target === core.config.id) return done;
  const progress = core.progress.get(target);
  if (progress === undefined || !membershipOf(core).voters.includes(target))
    return refuse(core, "invalid_member");
  // Asking again must not put off giving up, nor the check of the quorum that is done with it.
  if (core.transferee === target) return done;
  core.transferee = target;
  core.electionElapsed = 0;
  if (progress.match === lastIndex(core.view)) {
    sendTimeoutNow(core, target);
  } else {
    sendAppends(core, target, false);
  }
  return done;
}
