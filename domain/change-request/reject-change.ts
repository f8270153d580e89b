import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { fullName } from "../config/config-name.ts";
import { noteOf } from "./approve-change.ts";
import { toChangeRequestHead } from "./change-request.ts";
import { findChange } from "./find-change.ts";
import { endChange } from "./write-change.ts";

/** Ends a request unmade, for good. Refuses `forbidden` for the author, who withdraws. */
export const rejectChange: ApplyVerb<"reject_change"> = ({ state, command, index, timestampMs }) => {
  const { payload, actor } = command;
  const found = findChange(state, command, payload, { move: "reject", nowMs: timestampMs });
  if (!found.ok) return found;
  if (found.request.author.id === actor.id) {
    return refuse("forbidden", "nobody rejects a change of their own: withdraw it");
  }
  const { comment } = payload;
  const end = { to: found.to, by: actor, comment, index, timestampMs };
  const { request, changes } = endChange(state, found.request, end);
  return {
    ok: true,
    changes,
    events: [],
    result: { request: toChangeRequestHead(request) },
    audit: {
      action: "approve",
      resource: fullName(request.namespace, request.name),
      summary: `rejected change request ${request.id}, digest ${request.digest}${noteOf(comment)}`,
    },
  };
};
