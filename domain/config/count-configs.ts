import { type Refusal, refuse } from "../command/apply-verb.ts";
import { scanAll } from "../command/scan-all.ts";
import { type StateChange, stateKey, type StateView } from "../command/state-view.ts";

/**
 * What a new config changes of its tenant's count, or `quota_exceeded` when the tenant has `max` already (A6). The count is
 * a row of the state, so that asking costs the same however many configs there are. It is made by the first command that
 * names a limit, which every voter then understands, and kept by every later one: a state from before, or one from a
 * build that kept none, is counted once.
 */
export function countOneMore(
  state: StateView,
  tenant: string,
  max: number | undefined,
): { ok: true; changes: StateChange[] } | Refusal {
  const key = stateKey.configCount(tenant);
  let count = state.json(key) as number | undefined;
  if (count === undefined) {
    if (max === undefined) return { ok: true, changes: [] };
    count = [...scanAll(state, stateKey.configsOfTenantPrefix(tenant))].length;
  }
  if (max !== undefined && count >= max) {
    return refuse("quota_exceeded", `the tenant ${tenant} has ${count} configs; max_configs is ${max}`);
  }
  return { ok: true, changes: [{ op: "put_json", key, value: count + 1 }] };
}

/** What a deleted config changes of its tenant's count; nothing while there is none. */
export function countOneLess(state: StateView, tenant: string): StateChange[] {
  const key = stateKey.configCount(tenant);
  const count = state.json(key) as number | undefined;
  return count === undefined ? [] : [{ op: "put_json", key, value: count - 1 }];
}
