import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { Command } from "../command/command.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import { CHANGE_COMMENT_CHARACTERS_MAX } from "../limits.ts";
import type { ChangeRequest } from "./change-request.ts";
import { type ChangeMove, type ChangeRequestState, moveChange } from "./change-transitions.ts";

/**
 * The change request that a command moves, and the state that it comes to. Refuses `not_found` when there is none or it is
 * another tenant's, `precondition_failed` when the command names another revision or digest, `invalid_transition` when it
 * has ended, `validation_failed` for a comment over its limit. One whose time is over is refused for two moves alone: for the
 * others entries of older logs mean what they did, and the API refuses them before they are proposed.
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
  if (to === null) return refuse("invalid_transition", sayEnded(request.state));
  if (hasExpired(request, nowMs) && (move === "approve" || move === "execute")) {
    return refuse("invalid_transition", sayEnded("expired"));
  }
  if (input.digest !== undefined && input.digest !== request.digest) {
    return refuse("precondition_failed", `the change request has another digest now: ${request.digest}`);
  }
  if (comment.length > CHANGE_COMMENT_CHARACTERS_MAX) {
    const message = `at most ${CHANGE_COMMENT_CHARACTERS_MAX} characters`;
    return refuse("validation_failed", "the comment is too long", [{ path: "/comment", message }]);
  }
  return { ok: true, request, to };
}

/** Why a request that has come to a state moves no more. */
export function sayEnded(state: ChangeRequestState): string {
  if (state === "expired") return "the change request has expired: make another";
  return `the change request is ${state}, and stays so`;
}

/** Where a request stands at a time: one that is open when its time is over has expired, though its record follows later. */
export function stateAt(
  request: Pick<ChangeRequest, "state" | "expires_at_ms">,
  nowMs: number,
): ChangeRequestState {
  return request.state === "open" && hasExpired(request, nowMs) ? "expired" : request.state;
}

export function hasExpired({ expires_at_ms }: Pick<ChangeRequest, "expires_at_ms">, nowMs: number): boolean {
  return nowMs >= expires_at_ms;
}
