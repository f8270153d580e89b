import type { ApplyVerb } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import type { PendingRestore } from "./backup-origin.ts";

/** Drops the restore under way, if it is this one. Repeatable. */
export const abortRestore: ApplyVerb<"abort_restore"> = ({ state, command }) => {
  const { restore_id } = command.payload;
  const pending = state.json(stateKey.pendingRestore) as PendingRestore | undefined;
  const isThis = pending?.restore_id === restore_id;
  return {
    ok: true,
    changes: isThis ? [{ op: "drop_staged" }, { op: "delete", key: stateKey.pendingRestore }] : [],
    events: [],
    result: { restore_id, staged: 0 },
    audit: null,
  };
};
