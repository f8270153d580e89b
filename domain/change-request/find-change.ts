import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { Command } from "../command/command.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import { CHANGE_COMMENT_CHARACTERS_MAX } from "../limits.ts";
import type { ChangeRequest } from "./change-request.ts";
import { type ChangeMove, type ChangeRequestState, moveChange } from "./change-transitions.ts";

/**
 * The change request that a command moves, and the state that it comes to. Refuses `not_found` when there is none or it is
 * another tenant's, `precondition_failed` when the command names another revision or digest, `invalid_transition` when it
 * has ended or expired, `validation_failed` for a comment over its limit.
 */
export function findChange(
  state: StateView,
  command: Pick<Command, "tenant" | "expected_revision">,
  input: { change_request_id: string; digest?: string; comment?: string },
  { move, nowMs }: { move: ChangeMove; nowMs: number },
): { ok: true; request: ChangeRequest; to: ChangeRequestState } | Refusal {
  const { change_request_id: id, comment = "" } = input;
  const request = state.json(stateKey.changeRequest(id)) as ChangeRequest | undefined;
  if (request === undefined || request.namespace.tenant !== command.tenant) {
    return refuse("not_found", `no change request ${id}`);
  }
  if (command.expected_revision !== null && command.expected_revision !== request.revision) {
    return refuse("precondition_failed", `the request has changed: its revision is ${request.revision}`);
  }
  const to = moveChange(request.state, move);
  if (to === null)
    return refuse("invalid_transition", `the change request is ${request.state}, and stays so`);
  if (input.digest !== undefined && input.digest !== request.digest) {
    return refuse("precondition_failed", `the change request has another digest now: ${request.digest}`);
  }
  if (hasExpired(request, nowMs) && (move === "approve" || move === "execute")) {
    return refuse("invalid_transition", "the change request has expired: edit it, or make another");
  }
  if (comment.length > CHANGE_COMMENT_CHARACTERS_MAX) {
    const message = `at most ${CHANGE_COMMENT_CHARACTERS_MAX} characters`;
    return refuse("validation_failed", "the comment is too long", [{ path: "/comment", message }]);
  }
  return { ok: true, request, to };
}

export function hasExpired({ expires_at_ms }: Pick<ChangeRequest, "expires_at_ms">, nowMs: number): boolean {
  return nowMs >= expires_at_ms;
}
