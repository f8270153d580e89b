import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { fullName } from "../config/config-name.ts";
import { type ChangeRequest, toChangeRequestHead } from "./change-request.ts";
import { findChange } from "./find-change.ts";
import { writeChange } from "./write-change.ts";

/**
 * Adds a person's approval of exactly the digest that they name. Refuses `forbidden` for the author and for what is no
 * person, `already_exists` for who has approved it already, `precondition_failed` for another digest.
 */
export const approveChange: ApplyVerb<"approve_change"> = ({ state, command, index, timestampMs }) => {
  const { payload, actor } = command;
  const found = findChange(state, command, payload, { move: "approve", nowMs: timestampMs });
  if (!found.ok) return found;
  const { request: before } = found;
  if (actor.type !== "user") return refuse("forbidden", "only people approve changes");
  if (before.author.id === actor.id) return refuse("forbidden", "nobody approves a change of their own");
  if (before.approvals.some(({ by }) => by.id === actor.id)) {
    return refuse("already_exists", "you have approved it already, and count once");
  }
  const approval = { by: actor, at_ms: timestampMs, comment: payload.comment };
  const request: ChangeRequest = {
    ...before,
    state: found.to,
    approvals: [...before.approvals, approval],
    updated_at_ms: timestampMs,
    revision: index,
  };
  return {
    ok: true,
    changes: writeChange(request),
    events: [],
    result: { request: toChangeRequestHead(request) },
    audit: {
      action: "approve",
      resource: fullName(request.namespace, request.name),
      summary: `approved change request ${request.id}, digest ${request.digest}${noteOf(payload.comment)}`,
    },
  };
};

/** A comment as the audit shows it. */
export function noteOf(comment: string): string {
  return comment === "" ? "" : ` (${comment})`;
}
