import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import { AUDIT_ANCHORS_MAX } from "../limits.ts";
import type { ChainPlace } from "./verify-chain.ts";

/** The log's word on how a tenant's audit chain was at a moment. */
export interface AuditAnchor extends ChainPlace {
  index: number;
  timestamp_ms: number;
}

/** What is anchored of a tenant's audit, ascending; empty for a tenant whose chain nobody has anchored yet. */
export function readAuditAnchors(state: StateView, tenant: string): AuditAnchor[] {
  return (state.json(stateKey.auditAnchors(tenant)) as AuditAnchor[] | undefined) ?? [];
}

/**
 * Writes down where a tenant's audit chain ends. It only goes forward: an end before the newest anchor, or another row in its
 * place, is refused (`conflict`), for that is what a chain that was cut off or written anew looks like. The same anchor
 * twice is the same as once. No entry of the feed, and so no row of the audit, which would need an anchor in turn.
 */
export const anchorAudit: ApplyVerb<"anchor_audit"> = ({ state, command, index, timestampMs }) => {
  const { seq, hash } = command.payload;
  const anchors = readAuditAnchors(state, command.tenant);
  const newest = anchors.at(-1);
  const done = { ok: true as const, events: [], result: { seq, hash }, audit: null };
  if (newest?.seq === seq && newest.hash === hash) return { ...done, changes: [] };
  if (newest !== undefined && seq <= newest.seq) {
    return refuse("conflict", `the audit of ${command.tenant} is anchored at ${newest.seq} by another hash`);
  }
  const value = [...anchors, { seq, hash, index, timestamp_ms: timestampMs }].slice(-AUDIT_ANCHORS_MAX);
  return { ...done, changes: [{ op: "put_json", key: stateKey.auditAnchors(command.tenant), value }] };
};

/** Anchors of a tenant ascend, and are no more than are kept. */
export function checkAuditAnchors(key: string, anchors: readonly AuditAnchor[]): string[] {
  const wrong: string[] = [];
  if (anchors.length > AUDIT_ANCHORS_MAX) wrong.push(`${key} holds ${anchors.length} anchors`);
  for (const [i, { seq }] of anchors.entries()) {
    const before = anchors[i - 1];
    if (before !== undefined && seq <= before.seq) wrong.push(`${key}: anchor ${seq} follows ${before.seq}`);
  }
  return wrong;
}
