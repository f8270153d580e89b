import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { fullName } from "../config/config-name.ts";
import { noteOf } from "./approve-change.ts";
import { toChangeRequestHead } from "./change-request.ts";
import { findChange } from "./find-change.ts";
import { endChange } from "./write-change.ts";

/** Ends a request because its author does not want it any more. Refuses `conflict` for everybody else. */
export const withdrawChange: ApplyVerb<"withdraw_change"> = ({ state, command, index, timestampMs }) => {
  const { payload, actor } = command;
  const found = findChange(state, command, payload, { move: "withdraw", nowMs: timestampMs });
  if (!found.ok) return found;
  if (found.request.author.id !== actor.id || found.request.author.type !== actor.type) {
    return refuse("conflict", "only its author may withdraw a change request");
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
      action: "write",
      resource: fullName(request.namespace, request.name),
      summary: `withdrew change request ${request.id}, digest ${request.digest}${noteOf(comment)}`,
    },
  };
};
