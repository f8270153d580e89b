import type { Actor } from "../command/command.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import type { ChangeRequest } from "./change-request.ts";
import type { ChangeRequestState } from "./change-transitions.ts";
import { releaseContents } from "./held-content.ts";

/** The row by which a request is found in its tenant's list: enough to tell which of them are open. */
export interface ChangeRow {
  id: string;
  state: ChangeRequestState;
  expires_at_ms: number;
}

/** Writes of a request and of its row in the list. */
export function writeChange(request: ChangeRequest): StateChange[] {
  const { id, state, namespace, created_index, expires_at_ms } = request;
  return [
    { op: "put_json", key: stateKey.changeRequest(id), value: request },
    {
      op: "put_json",
      key: stateKey.changeRequestByTenant(namespace.tenant, created_index),
      value: { id, state, expires_at_ms } satisfies ChangeRow,
    },
  ];
}

/** Ends a request in a state: it lets go of its contents, and stays as a record. */
export function endChange(
  state: StateView,
  request: ChangeRequest,
  end: { to: ChangeRequestState; by: Actor | null; comment: string; index: number; timestampMs: number },
): { request: ChangeRequest; changes: StateChange[] } {
  const ended: ChangeRequest = {
    ...request,
    state: end.to,
    updated_at_ms: end.timestampMs,
    ended: { by: end.by, at_ms: end.timestampMs, comment: end.comment },
    revision: end.index,
  };
  return { request: ended, changes: [...releaseContents(state, request), ...writeChange(ended)] };
}
