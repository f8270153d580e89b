import { scanAll } from "../command/scan-all.ts";
import { isOfSeveral } from "../command/command.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import { type ChangeRequest, digestChange } from "./change-request.ts";
import { heldKeys } from "./held-content.ts";
import type { ChangeRow } from "./write-change.ts";

/** What must hold of the change requests of a state; answers one sentence for each thing that does not. */
export function checkChangeInvariants(state: StateView): string[] {
  const wrong: string[] = [];
  let requests = 0;
  for (const { key, value } of scanAll(state, stateKey.changeRequestPrefix)) {
    requests += 1;
    const request = value as ChangeRequest;
    const { id, namespace, created_index, operation, config_revision } = request;
    if (key !== stateKey.changeRequest(id)) wrong.push(`${key} holds ${id}`);
    const row = state.json(stateKey.changeRequestByTenant(namespace.tenant, created_index)) as
      | ChangeRow
      | undefined;
    const { state: stands, expires_at_ms } = request;
    if (row?.id !== id || row.state !== stands || row.expires_at_ms !== expires_at_ms)
      wrong.push(`${id} is not in the list as it is`);
    if (digestChange(operation, config_revision) !== request.digest) {
      wrong.push(`${id} has another digest than what it asks for`);
    }
    if (isOfSeveral(operation) !== (request.config_id === null && (request.targets ?? []).length > 0))
      wrong.push(`${id} does not say which configs it is of`);
    if ((request.ended === null) !== (request.state === "open")) wrong.push(`${id} has no right end`);
    const approvers = request.approvals.map(({ by }) => by.id);
    if (new Set([...approvers, request.author.id]).size !== approvers.length + 1) {
      wrong.push(`${id} is approved by its author, or twice by one`);
    }
  }
  const rows = [...scanAll(state, stateKey.changeRequestByTenantsPrefix)].length;
  if (rows !== requests) wrong.push(`${requests} change requests have ${rows} places in lists`);
  return wrong;
}

/** The contents that open requests hold: key of the count of references, once for each. */
export function* heldRefs(state: StateView): Generator<string> {
  for (const { value } of scanAll(state, stateKey.changeRequestPrefix)) {
    const { state: stands, operation, namespace } = value as ChangeRequest;
    if (stands === "open") yield* heldKeys(namespace.tenant, operation);
  }
}
