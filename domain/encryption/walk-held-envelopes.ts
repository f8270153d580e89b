import type { ChangeRequest } from "../change-request/change-request.ts";
import { contentsOfOperation } from "../change-request/held-content.ts";
import type { ChangeRow } from "../change-request/write-change.ts";
import type { ChangeOperation } from "../command/command.ts";
import { scanAll } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { DeletedConfig } from "../config/config.ts";
import { type EnvelopeLook, isMeant, type RewrapScope } from "./envelope-place.ts";
import { identityOf } from "./envelope-text.ts";

/** Before a request's place in its tenant's list, and how many of its contents are done. No cursor of a name begins so. */
const CURSOR_PREFIX = "change-requests@";

export function isHeldCursor(cursor: string): boolean {
  return cursor.startsWith(CURSOR_PREFIX);
}

/**
 * The envelopes behind `cursor` that open change requests hold, the newest request first. What is asked for later than
 * the walk began is under the keys of then.
 */
export function* walkHeldEnvelopes(
  state: StateView,
  scope: RewrapScope,
  cursor: string | null,
): Generator<EnvelopeLook> {
  const [start = null, done = 0] = cursor?.slice(CURSOR_PREFIX.length).split(".").map(Number) ?? [];
  for (const { id, state: stands } of rowsFrom(state, scope.tenant, start)) {
    if (stands !== "open") continue;
    const request = state.json(stateKey.changeRequest(id)) as ChangeRequest;
    const from = request.created_index === start ? done : 0;
    const at = (position: number): string => `${CURSOR_PREFIX}${request.created_index}.${position}`;
    yield { cursor: at(from), place: null, requests: 1 };
    const contents = sealedIn(request.operation);
    for (const [position, { sha256, configId }] of contents.entries()) {
      if (position < from) continue;
      const owner = ownerOf(state, configId);
      const bytes = state.bytes(stateKey.blob(scope.tenant, sha256));
      const isHere =
        owner !== null && bytes !== undefined && isMeant(scope, { ...owner.namespace, ...owner });
      yield {
        cursor: at(position + 1),
        bytes: bytes?.byteLength ?? 0,
        place: isHere
          ? {
              owner: { of: "change_request", change_request_id: id },
              sha256,
              at: 0,
              identity: identityOf(owner.namespace, owner.name),
            }
          : null,
      };
    }
  }
}

/** The rows of a tenant's list from the request at `start` on, that one included; null: all of them. */
function* rowsFrom(state: StateView, tenant: string, start: number | null): Generator<ChangeRow> {
  const key = start === null ? undefined : stateKey.changeRequestByTenant(tenant, start);
  const first = key === undefined ? undefined : (state.json(key) as ChangeRow | undefined);
  if (first !== undefined) yield first;
  for (const { value } of scanAll(state, stateKey.changeRequestByTenantPrefix(tenant), key)) {
    yield value as ChangeRow;
  }
}

/** The sealed contents of an operation, each once, and the config that each is for. */
function sealedIn(operation: ChangeOperation): { sha256: string; configId: string }[] {
  if (operation.kind === "apply_bundle") return [];
  const configIds =
    operation.kind === "batch_releases"
      ? operation.payload.items.flatMap(({ config_id, content }) => (content === null ? [] : [config_id]))
      : [operation.payload.config_id];
  const found = new Map<string, string>();
  for (const [i, { sealed, sha256 }] of contentsOfOperation(operation).entries()) {
    if (sealed !== undefined) found.set(sha256, configIds[i] ?? "");
  }
  return [...found].map(([sha256, configId]) => ({ sha256, configId }));
}

/** What a config is called, or was before it was deleted. */
function ownerOf(state: StateView, configId: string): DeletedConfig | null {
  const owner = state.json(stateKey.config(configId)) ?? state.json(stateKey.deletedConfig(configId));
  return (owner as DeletedConfig | undefined) ?? null;
}
