import { type Refusal, refuse } from "../command/apply-verb.ts";
import { scanAll } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Page } from "../config/read-configs.ts";
import { LIST_SCAN_MAX } from "../limits.ts";
import { type ChangeRequest, type ChangeRequestHead, toChangeRequestHead } from "./change-request.ts";
import { CHANGE_REQUEST_STATES, type ChangeRequestState } from "./change-transitions.ts";
import { stateAt } from "./find-change.ts";
import type { ChangeRow } from "./write-change.ts";

/** The last segment of `stateKey.changeRequestByTenant`, which is the cursor of a list. */
const PLACE_IN_LIST = /^\d{16}$/;

export function readChangeRequest(
  state: StateView,
  id: string,
): { ok: true; request: ChangeRequest } | Refusal {
  const request = state.json(stateKey.changeRequest(id)) as ChangeRequest | undefined;
  return request === undefined ? refuse("not_found", `no change request ${id}`) : { ok: true, request };
}

/** Whose change requests; what is left out asks for nothing. */
export interface ChangeRequestFilter {
  tenant: string;
  app?: string;
  env?: string;
  /** Of this config alone, or with it among several. */
  config_id?: string;
  /** As it is at `now_ms`. */
  state?: string;
}

/** The change requests of a tenant, the newest first. By app and env it finds those that are all of one. */
export function listChangeRequests(
  state: StateView,
  input: ChangeRequestFilter & { now_ms: number; cursor?: string; limit: number },
): Page<ChangeRequestHead> | Refusal {
  if (input.cursor !== undefined && !PLACE_IN_LIST.test(input.cursor)) {
    return refuse("malformed_request", "the cursor is not one that a list of change requests gave", [
      { path: "/cursor", message: "not a cursor" },
    ]);
  }
  if (input.state !== undefined && !CHANGE_REQUEST_STATES.includes(input.state as ChangeRequestState)) {
    const message = `one of ${CHANGE_REQUEST_STATES.join(", ")}`;
    return refuse("malformed_request", "no such state", [{ path: "/state", message }]);
  }
  const prefix = stateKey.changeRequestByTenantPrefix(input.tenant);
  const items: ChangeRequestHead[] = [];
  let last = "";
  let seen = 0;
  const rows = scanAll(state, prefix, input.cursor === undefined ? undefined : prefix + input.cursor);
  for (const { key, value } of rows) {
    if (items.length === input.limit || seen === LIST_SCAN_MAX) return { ok: true, items, next_cursor: last };
    seen += 1;
    last = key.slice(prefix.length);
    const row = value as ChangeRow;
    if (input.state !== undefined && stateAt(row, input.now_ms) !== input.state) continue;
    const request = state.json(stateKey.changeRequest(row.id)) as ChangeRequest;
    const { app, env } = request.namespace;
    const wanted = { app, env, ...input };
    if (wanted.app !== app || wanted.env !== env || !isAbout(request, input.config_id)) continue;
    items.push(toChangeRequestHead(request));
  }
  return { ok: true, items, next_cursor: null };
}

function isAbout({ config_id, targets = [] }: ChangeRequest, wanted: string | undefined): boolean {
  return (
    wanted === undefined || config_id === wanted || targets.some((target) => target.config_id === wanted)
  );
}
