import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { overlayState } from "../command/state-overlay.ts";
import { fullName } from "../config/config-name.ts";
import { CHANGE_REQUEST_TTL_MS } from "../limits.ts";
import { type ChangeRequest, digestChange, toChangeRequestHead } from "./change-request.ts";
import { findChange } from "./find-change.ts";
import { holdContents, releaseContents } from "./held-content.ts";
import { checkRequested } from "./check-requested.ts";
import { writeChange } from "./write-change.ts";

/**
 * Puts another operation, or the same one for the config as it is now, in the place of what was asked for. Every approval
 * is void, also when the operation is the same. Only the author may (`conflict`).
 */
export const editChange: ApplyVerb<"edit_change"> = (input) => {
  const { state, command, index, timestampMs } = input;
  const { payload, tenant } = command;
  const found = findChange(state, command, payload, { move: "edit", nowMs: timestampMs });
  if (!found.ok) return found;
  const { request: before } = found;
  if (before.author.id !== command.actor.id || before.author.type !== command.actor.type) {
    return refuse("conflict", "only its author may edit a change request");
  }
  if (before.config_id !== payload.config_id) {
    const stays = before.config_id === null ? "several configs" : before.config_id;
    return refuse("validation_failed", "a change request stays about its config, or about several", [
      { path: "/operation", message: `must be about ${stays}` },
    ]);
  }
  const checked = checkRequested(input);
  if (!checked.ok) return checked;
  const released = releaseContents(state, before);
  const after = overlayState(state, released);
  const held = holdContents(after, tenant, payload.operation, input.attachments);
  if (!held.ok) return held;
  const request: ChangeRequest = {
    ...before,
    ...checked.subject,
    state: found.to,
    operation: payload.operation,
    digest: digestChange(payload.operation, payload.config_revision),
    description: payload.description,
    approvals: [],
    updated_at_ms: timestampMs,
    expires_at_ms: timestampMs + CHANGE_REQUEST_TTL_MS,
    revision: index,
  };
  const voided = before.approvals.length === 0 ? "" : `; void: ${before.approvals.length} approvals`;
  return {
    ok: true,
    changes: [...released, ...held.changes, ...writeChange(request)],
    events: [],
    result: { request: toChangeRequestHead(request) },
    audit: {
      action: "write",
      resource: fullName(request.namespace, request.name),
      summary: `edited change request ${request.id}: ${payload.operation.kind}, digest ${request.digest}${voided}`,
    },
  };
};
