/**
 * Which membership is in force. A node goes by the newest membership entry in its log, committed or not (Raft paper,
 * section 6); when such an entry is cut away the one before it holds again.
 */
import type { Entry, Index, LogReader, Membership } from "../types.ts";
import { NOBODY } from "../types.ts";
import type { Core, MembershipAt } from "../core.ts";
import { membershipOf } from "../core.ts";
import { lastIndex } from "../raft-log-view.ts";
import { createProgress } from "../tracker/progress.ts";
import { isVoter, membersOf } from "./membership.ts";
import { decodeMembership } from "./membership-codec.ts";

const SCAN_BYTES_MAX = 4 * 1024 * 1024;

/** The memberships a durable log holds, oldest first, over `base`, which was in force at `applied`. */
export function scanMemberships(log: LogReader, base: Membership, applied: Index): MembershipAt[] {
  const found: MembershipAt[] = [];
  const to = log.lastIndex() + 1;
  for (let from = log.firstIndex(); from < to;) {
    const entries = log.entries(from, to, SCAN_BYTES_MAX);
    if (entries.length === 0) break;
    for (const entry of entries) {
      if (entry.kind === "membership")
        found.push({ index: entry.index, membership: decodeMembership(entry.data) });
    }
    from += entries.length;
  }
  const appliedOnes = found.filter((at) => at.index <= applied);
  const first = appliedOnes.at(-1) ?? { index: Math.min(applied, to - 1), membership: base };
  return [first, ...found.filter((at) => at.index > applied)];
}

/** Takes note of entries that are now in the log from `changedFrom` on. */
export function noteEntries(core: Core, changedFrom: Index, entries: readonly Entry[]): void {
  const before = core.memberships.at(-1);
  while (core.memberships.length > 1 && (core.memberships.at(-1)?.index ?? 0) >= changedFrom) {
    core.memberships.pop();
  }
  for (const entry of entries) {
    if (entry.kind === "membership" && entry.index >= changedFrom) {
      core.memberships.push({ index: entry.index, membership: decodeMembership(entry.data) });
    }
  }
  if (core.memberships.at(-1) !== before && core.role === "leader") syncProgress(core);
}

/** The log was replaced by a snapshot that holds `membership`. */
export function noteSnapshot(core: Core, index: Index, membership: Membership): void {
  core.memberships = [{ index, membership }];
}

/** Forgets memberships that no cut can bring back. */
export function pruneMemberships(core: Core): void {
  while (core.memberships.length > 1 && (core.memberships[1]?.index ?? Infinity) <= core.view.commit) {
    core.memberships.shift();
  }
}

/** On a leader: a progress for every member, none for others. */
export function syncProgress(core: Core): void {
  const membership = membershipOf(core);
  const ids = new Set(membersOf(membership));
  ids.add(core.config.id);
  for (const id of core.progress.keys()) {
    if (!ids.has(id)) core.progress.delete(id);
  }
  const { inflightMax: messagesMax, inflightBytesMax: bytesMax } = core.config;
  for (const id of ids) {
    if (core.progress.has(id)) continue;
    const progress = createProgress(lastIndex(core.view) + 1, { messagesMax, bytesMax });
    // A newcomer counts as heard from, or the next quorum check would depose the leader before it could answer.
    progress.active = true;
    core.progress.set(id, progress);
  }
  if (!isVoter(membership, core.transferee)) core.transferee = NOBODY;
}
