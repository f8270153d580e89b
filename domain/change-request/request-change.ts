import { type ApplyVerb, type Refusal, refuse } from "../command/apply-verb.ts";
import { overlayState } from "../command/state-overlay.ts";
import { scanAll } from "../command/scan-all.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";
import { fullName } from "../config/config-name.ts";
import {
  CHANGE_REQUEST_TTL_MS,
  CHANGE_REQUESTS_KEPT_MAX,
  CHANGE_REQUESTS_OPEN_MAX,
  EXPIRED_SWEEP_MAX,
} from "../limits.ts";
import {
  type ChangeRequest,
  changeRequestIdOf,
  digestChange,
  toChangeRequestHead,
} from "./change-request.ts";
import { checkRequested } from "./check-requested.ts";
import { hasExpired } from "./find-change.ts";
import { holdContents } from "./held-content.ts";
import { type ChangeRow, endChange, writeChange } from "./write-change.ts";

/**
 * Makes a change request of a config, or of several, as they are at a revision (C14). Nothing but the request is changed.
 * Refuses what `checkRequested` does, and `quota_exceeded` when the tenant has as many open ones
 * as it may.
 */
export const requestChange: ApplyVerb<"request_change"> = (input) => {
  const { state, command, index, timestampMs } = input;
  const { payload, tenant, actor } = command;
  const checked = checkRequested(input);
  if (!checked.ok) return checked;
  const { config_id, namespace, name, config_revision, ...ofSeveral } = checked.subject;
  const room = makeRoom(state, tenant, { index, timestampMs });
  if (!room.ok) return room;
  const held = holdContents(overlayState(state, room.changes), tenant, payload.operation, input.attachments);
  if (!held.ok) return held;
  const request: ChangeRequest = {
    id: changeRequestIdOf(input.clusterId, index),
    config_id,
    namespace,
    name,
    operation: payload.operation,
    config_revision,
    ...ofSeveral,
    digest: digestChange(payload.operation, payload.config_revision),
    description: payload.description,
    state: "open",
    author: actor,
    approvals: [],
    created_at_ms: timestampMs,
    updated_at_ms: timestampMs,
    expires_at_ms: timestampMs + CHANGE_REQUEST_TTL_MS,
    ended: null,
    outcome: null,
    created_index: index,
    revision: index,
  };
  return {
    ok: true,
    changes: [...room.changes, ...held.changes, ...writeChange(request)],
    events: [],
    result: { request: toChangeRequestHead(request) },
    audit: {
      action: "write",
      resource: fullName(namespace, name),
      summary: `asked for ${payload.operation.kind} as change request ${request.id}, digest ${request.digest}`,
    },
  };
};

/** Ends a few that have expired and drops the oldest of those that have ended, so that a tenant keeps no more than it may. */
function makeRoom(
  state: StateView,
  tenant: string,
  at: { index: number; timestampMs: number },
): { ok: true; changes: StateChange[] } | Refusal {
  const rows = [...scanAll(state, stateKey.changeRequestByTenantPrefix(tenant))].map(({ key, value }) => ({
    key,
    ...(value as ChangeRow),
  }));
  const changes: StateChange[] = [];
  const open = rows.filter((row) => row.state === "open" && !hasExpired(row, at.timestampMs));
  if (open.length >= CHANGE_REQUESTS_OPEN_MAX) {
    return refuse("quota_exceeded", `the tenant has ${open.length} open change requests; end some first`);
  }
  const expired = rows.filter((row) => row.state === "open" && hasExpired(row, at.timestampMs));
  for (const { id } of expired.slice(-EXPIRED_SWEEP_MAX)) {
    const request = state.json(stateKey.changeRequest(id)) as ChangeRequest;
    const end = { to: "expired", by: null, comment: "", ...at } as const;
    changes.push(...endChange(overlayState(state, changes), request, end).changes);
  }
  const over = rows.length + 1 - CHANGE_REQUESTS_KEPT_MAX;
  const ended = rows.filter((row) => row.state !== "open");
  for (const { key, id } of over > 0 ? ended.slice(-over) : []) {
    changes.push({ op: "delete", key }, { op: "delete", key: stateKey.changeRequest(id) });
  }
  return { ok: true, changes };
}
